"""Images of executables: the recipe that is rendered, and its way into a registry.

Rendering needs `image_files` alone, which is pure; the modules beside it talk to the Docker engine and are
imported by who needs them:

    context.py   what is sent to the engine: the recipe and the trainer, nothing else
    engine.py    the connection to the engine
    base.py      base images that only a password opens
    build.py     context -> image
    push.py      image -> registry, digest
    registry.py  tag -> digest
    lock.py      digests in images.lock.yaml
    targets.py   which images an environment needs, and their labels
    inventory.py what is inside an image
    sbom.py      that as a CycloneDX document
    events.py    progress
    pin.py       package lists -> locks with hashes (`python -m generator.images.pin`)
"""

from generator.images.recipe import image_files

__all__ = ["image_files"]
