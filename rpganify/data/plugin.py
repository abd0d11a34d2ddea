"""The built-in data sets, registered through the hooks that strangers use."""

from __future__ import annotations

from rpganify.hookspecs import DataSetEntry, hookimpl


@hookimpl
def rpganify_datasets() -> list[DataSetEntry]:
    """What `--data` names; all but the first need files that the user has."""
    return [
        DataSetEntry("digits", "1,797 real 8x8 digits that come with scikit-learn", "rpganify.data.digits:open_digits"),
        DataSetEntry("mnist", "MNIST, 28x28 grey (mnist:test)", "rpganify.data.mnist:open_mnist", held_out="test"),
        DataSetEntry(
            "coloured-mnist",
            "MNIST, each digit in a random colour of its own",
            "rpganify.data.mnist:open_coloured_mnist",
            held_out="test",
        ),
        DataSetEntry(
            "fashion-mnist",
            "Fashion-MNIST, 28x28 grey (fashion-mnist:test)",
            "rpganify.data.mnist:open_fashion_mnist",
            held_out="test",
        ),
        DataSetEntry(
            "cifar10", "CIFAR-10, 32x32 RGB (cifar10:test)", "rpganify.data.cifar10:open_cifar10", held_out="test"
        ),
        DataSetEntry("lsun", "one LSUN category, 256x256 RGB (lsun:bedroom)", "rpganify.data.lsun:open_lsun"),
        DataSetEntry("folder", "every image under a folder (folder:DIR)", "rpganify.data.folder:open_folder"),
        DataSetEntry("zip", "every image in a zip file (zip:FILE.zip)", "rpganify.data.zipped:open_zip"),
        DataSetEntry("lmdb", "every image in an LMDB folder (lmdb:DIR)", "rpganify.data.lmdb_images:open_lmdb"),
        DataSetEntry(
            "webdataset",
            "every image in tar files (webdataset:train-{000..146}.tar)",
            "rpganify.data.shards:open_webdataset",
        ),
    ]
