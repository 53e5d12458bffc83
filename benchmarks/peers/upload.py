"""Our side of the upload benchmark: hash, upload, mark. A process of its own, like the peer."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from reconciler.dataset import manifest
from reconciler.s3store import S3Store
from reconciler.upload import upload


def main() -> None:
    """Upload one folder with the keys of the CORESPEC_S3_* variables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("bucket")
    parser.add_argument("prefix")
    options = parser.parse_args()
    store = S3Store(
        options.bucket,
        endpoint=os.environ["CORESPEC_S3_ENDPOINT"],
        access_key_id=os.environ["CORESPEC_S3_ACCESS_KEY"],
        secret_access_key=os.environ["CORESPEC_S3_SECRET_KEY"],
    )
    upload(store, options.prefix, manifest(options.folder))


if __name__ == "__main__":
    main()
