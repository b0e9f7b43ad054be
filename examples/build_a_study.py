"""Build a study from good scans, exclude its most suspicious slice, divide the animals, and read it for training."""

from napari_micromri.io import save_scan
from napari_micromri.scan import Scan
from napari_micromri.simulation.samples import digital_mouse
from napari_micromri.study import Assign, Exclude, Study, random_split
from napari_micromri.study.build import build
from napari_micromri.study.quality import rank
from napari_micromri.study.simulated import plan_simulated

for number in (1, 2, 3):
    _fast, good = digital_mouse(seed=number)
    few = Scan(good.data[12:18], good.info)  # six slices, to be quick
    save_scan(few, f"scans/mouse_{number}.nii.gz")

build(plan_simulated(["scans"], region="head-thorax"), "mice.mri.zarr")
study = Study.open("mice.mri.zarr")

worst = rank(study.pairs())[0]
print(f"{worst.key}, slice {worst.index}: score {worst.score:.2f}; {'; '.join(worst.reasons) or 'nothing odd'}")
undo = study.apply([Exclude(worst.key, worst.index, "other")])
study.apply(undo)  # it was only an example

split = random_split(study.subjects, validation=0.3, test=0.3)
study.apply([Assign(subject, to) for subject, to in split.items()])

for name in ("train", "validation", "test"):
    slices = study.slices(name)
    print(f"{name}: {len(slices)} slices, LR {slices[0].lr.shape}, HR {slices[0].hr.shape}")
