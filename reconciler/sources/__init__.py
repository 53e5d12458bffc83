"""Where a dataset's files come from: a folder, an archive, an https URL or a bucket.

One module for each form. What has to be unpacked or downloaded lies in `.corespec/cache`, under the SHA-256
of what it came from; deleting it changes nothing but speed.
"""
