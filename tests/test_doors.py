"""What an argument of another kind is answered with, in a process of its own: here beartype would answer."""

import json
import subprocess
import sys

PROGRAM = """
import json
import numpy as np
import torch
import dinoscope as ds

array = np.ones((4, 4, 8), np.float32)
features = ds.PatchFeatures.from_array(array, image_size=(64, 64), name="theirs")
pixels = np.zeros((64, 64, 3), np.uint8)
mini = ds.load_backbone("mini")
verbs = {
    "search": lambda x: ds.search(x, pixels),
    "search_patches": lambda x: ds.search_patches(x, features, (0.5, 0.5)),
    "near_duplicates": lambda x: ds.near_duplicates(x),
    "evaluate_retrieval": lambda x: ds.evaluate_retrieval(x, labels="folders"),
    "fit_suppression": lambda x: ds.fit_suppression(x, "centre"),
    "compress": lambda x: ds.compress(x),
    "fit_pca": lambda x: ds.fit_pca(x),
    "fit_pca of several": lambda x: ds.fit_pca([features, x]),
    "project": lambda x: ds.fit_pca(features, n=3).project(x),
    "fit_spectral": lambda x: ds.fit_spectral(x, n=2),
    "fit_clusters": lambda x: ds.fit_clusters(x, 2),
    "fit_normal": lambda x: ds.fit_normal(x),
    "similarity_map": lambda x: ds.similarity_map(x, at=(0.5, 0.5)),
    "similarity_map within": lambda x: ds.similarity_map(features, at=(0.5, 0.5), within=x or "x"),
    "match": lambda x: ds.match(features, x),
    "segment": lambda x: ds.segment(x, [(0.5, 0.5, True)]),
    "upsample": lambda x: ds.upsample(x, size=(8, 8)),
    "gram_loss": lambda x: ds.gram_loss(torch.ones(1, 4, 8), x),
    "to_rgb": lambda x: ds.to_rgb(x, limits=np.zeros((3, 2))),
    "to_rgb limits": lambda x: ds.to_rgb(np.zeros((4, 4, 3)), limits=x),
    "to_rgb of no map": lambda x: ds.to_rgb(np.zeros((4, 3)), limits=np.zeros((3, 2))),
    "load_backbone": lambda x: ds.load_backbone(3),
    "facet_of": lambda x: ds.facet_of(x, "key"),
    "finer_of": lambda x: ds.finer_of(x, 2),
    "embed": lambda x: ds.embed([pixels], x, "store"),
    "extract": lambda x: list(ds.extract([pixels], x or 3)),
    "measure": lambda x: ds.measure([pixels], x or 3),
    "measure several": lambda x: ds.measure([pixels], [x or 3]),
    "certify": lambda x: ds.certify(mini, x or 3, [pixels]),
    "choose": lambda x: ds.choose([pixels], x, mini),
    "write_report": lambda x: ds.write_report(x, "report.html"),
    "widget": lambda x: ds.widget(x),
    "plot_pca": lambda x: ds.plot_pca(x),
    "plot_similarity": lambda x: ds.plot_similarity(x, at=(0.5, 0.5)),
}
answers = {}
for name, verb in verbs.items():
    for wrong in (None, "a-folder"):
        try:
            verb(wrong)
            answers[f"{name} of {wrong}"] = "nothing"
        except ds.DinoscopeError as error:
            pass
        except Exception as error:
            answers[f"{name} of {wrong}"] = repr(error)
for verb in (ds.search, ds.fit_pca, ds.gram_loss, ds.plot_pca):
    try:
        verb(array, array) if verb in (ds.search, ds.gram_loss) else verb(array)
    except ds.InputError as error:
        answers[verb.__name__] = str(error)
print(json.dumps(answers))
"""


def test_an_argument_of_another_kind_is_refused_in_our_words(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert json.loads(ran.stdout) == {
        "search": "expected FeatureStore, got ndarray: ds.open_store opens the store in a folder",
        "fit_pca": "expected PatchFeatures, got ndarray: ds.extract gives them, PatchFeatures.from_array "
        "takes an array",
        "gram_loss": "expected Tensor, got ndarray: torch.as_tensor makes one of an array",
        "plot_pca": "expected Comparison, got ndarray: ds.compare returns one",
    }
    assert not list(tmp_path.iterdir())
