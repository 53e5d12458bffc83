"""Images of executables: the recipe that is rendered, and its way into a registry.

Rendering needs `image_files` alone, which is pure; the modules beside it talk to the Docker engine and are
imported by who needs them:

    context.py   what is sent to the engine: the recipe and the trainer, nothing else
    engine.py    the connection to the engine
    build.py     context -> image
    push.py      image -> registry, digest
    registry.py  tag -> digest
    lock.py      digests in images.lock.yaml
    sbom.py      image -> CycloneDX document
    pin.py       package lists -> locks with hashes (`python -m generator.images.pin`)
"""

from generator.images.recipe import image_files

__all__ = ["image_files"]
