"""What is installed: the packages vidgen, voxel and data, their console commands and extras."""

from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="vidgen",
    version="0.1.0",
    description="Train, judge and use generative adversarial networks for video and voxels",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11",
    packages=find_packages(include=["vidgen*", "voxel*", "data*"]),
    package_data={"vidgen": ["configs/*.yaml", "commands/*.html"], "voxel": ["configs/*.yaml"]},
    install_requires=[
        "torch>=2.13",
        "torchvision>=0.28",
        "numpy",
        "scipy",
        "scikit-learn",  # the moving-digits set draws scikit-learn's own digits
        "decord",
        "av",
        "scikit-video",
        "trimesh",
        "scikit-image",
        "embreex",  # ray casting for trimesh: views of meshes without a display
        "fast-simplification",  # mesh decimation for trimesh
        "opencv-python-headless",  # key points and homographies: python -m data stabilize
        "torchdiffeq",
        "torchsde",
        "lightning-fabric",
        "jsonargparse[signatures]",
        "safetensors",
        "tensorboard",
        "rich",
        "jaxtyping",
        "pillow",
        "matplotlib",
        "jinja2",
    ],
    extras_require={
        "hdf5": ["h5py"],
        "faces": ["dlib-bin", "face-recognition-models"],
        "dev": [
            "beartype",
            "codespell",
            "h5py",
            "hypothesis",
            "import-linter",
            "pyright",
            "pytest",
            "pytest-timeout",
            "pytest-xdist",
            "ruff",
        ],
    },
    entry_points={
        "console_scripts": ["vidgen = vidgen.__main__:main", "voxel = voxel.__main__:main"]
    },
)
