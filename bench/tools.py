"""Finds the peers, and installs those that are missing: Debian packages, and a virtual environment."""

import os
import shutil
import subprocess
import sys

PACKAGES = {
    "nginx": "nginx-light",
    "convert": "imagemagick",
    "jpegtran": "libjpeg-turbo-progs",
    "curl": "curl",
}


def first_line(command):
    """The first line that a command prints, or nothing where it cannot be run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except OSError:
        return None
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0] if lines else None


def find(name):
    """The path of a tool, or None. Several programs are called `convert`: only ImageMagick's counts."""
    candidates = [f"/usr/bin/{name}", f"/usr/sbin/{name}", shutil.which(name)]
    for path in candidates:
        if path and os.access(path, os.X_OK):
            if name != "convert" or "ImageMagick" in (first_line([path, "-version"]) or ""):
                return path
    return None


def install_missing(packages=PACKAGES):
    """Installs the Debian packages of tools that are missing, where that can be done."""
    missing = [package for tool, package in packages.items() if find(tool) is None]
    if not missing:
        return
    as_root = [] if os.geteuid() == 0 else ["sudo"]
    if shutil.which("apt-get") is None or (as_root and shutil.which("sudo") is None):
        print(f"not found and not installed: {', '.join(missing)}", file=sys.stderr)
        return
    print(f"installing {', '.join(missing)}", file=sys.stderr)
    subprocess.run([*as_root, "apt-get", "update", "-qq"], check=False)
    command = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-qq"]
    subprocess.run([*command, "--no-install-recommends", *missing], check=False, stdout=sys.stderr)


def install_img2dataset(directory, requirements):
    """img2dataset in a virtual environment, made once; None where that fails."""
    program = directory / "bin" / "img2dataset"
    done = directory / "installed.txt"
    wanted = requirements.read_text()
    if program.exists() and done.exists() and done.read_text() == wanted:
        return program
    print("installing img2dataset into a virtual environment", file=sys.stderr)
    try:
        subprocess.run([sys.executable, "-m", "venv", directory], check=True)
        pip = [directory / "bin" / "python", "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "--requirement", requirements], check=True, stdout=sys.stderr)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"img2dataset is not installed: {error}", file=sys.stderr)
        return None
    done.write_text(wanted)
    return program


def img2dataset_version(program):
    """Its version, as its own environment knows it."""
    ask = "import importlib.metadata as m; print('img2dataset', m.version('img2dataset'))"
    return first_line([program.parent / "python", "-c", ask])
