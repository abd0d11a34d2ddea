"""What this package offers to rpganify; imports neither torch nor medmnist."""

from __future__ import annotations

from rpganify import hookimpl
from rpganify.hookspecs import DataSetEntry

# Name in medmnist -> what its images show.
SETS = {
    "pathmnist": "colon tissue under the microscope, RGB, 9 classes",
    "chestmnist": "chest X-rays, grey, no single label",
    "dermamnist": "skin lesions, RGB, 7 classes, not for commercial use",
    "octmnist": "retinal OCT scans, grey, 4 classes",
    "pneumoniamnist": "chest X-rays of children, grey, 2 classes",
    "retinamnist": "retina photographs, RGB, 5 grades",
    "breastmnist": "breast ultrasound, grey, 2 classes",
    "bloodmnist": "blood cells under the microscope, RGB, 8 classes",
    "tissuemnist": "kidney cells under the microscope, grey, 8 classes",
    "organamnist": "abdominal CT, axial, grey, 11 organs",
    "organcmnist": "abdominal CT, coronal, grey, 11 organs",
    "organsmnist": "abdominal CT, sagittal, grey, 11 organs",
}


@hookimpl
def rpganify_datasets() -> list[DataSetEntry]:
    """The twelve sets of images; the six of volumes are left out."""
    return [
        DataSetEntry(
            name, f"MedMNIST: {shown} ({name}:test,64)", f"rpganify_medmnist.sets:open_{name}", held_out="test"
        )
        for name, shown in SETS.items()
    ]
