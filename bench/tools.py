"""Finds the peers, and installs those that are missing: Debian packages, virtual environments, a package of npm,
programs that Cargo builds."""

import json
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


def install_python(directory, requirements):
    """The Python of a virtual environment that has the packages, made once; None where that fails."""
    python = directory / "bin" / "python"
    done = directory / "installed.txt"
    wanted = requirements.read_text()
    if python.exists() and done.exists() and done.read_text() == wanted:
        return python
    print(f"installing {requirements.name} into a virtual environment", file=sys.stderr)
    try:
        subprocess.run([sys.executable, "-m", "venv", directory], check=True)
        pip = [python, "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "--requirement", requirements], check=True, stdout=sys.stderr)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"{requirements.name} is not installed: {error}", file=sys.stderr)
        return None
    done.write_text(wanted)
    return python


def install_img2dataset(directory, requirements):
    """img2dataset in a virtual environment; None where that fails."""
    python = install_python(directory, requirements)
    return python and python.parent / "img2dataset"


def install_node(directory, package):
    """A package of npm, with its version, in a directory of its own; None without Node.js."""
    name, version = package.rsplit("@", 1)
    done = directory / "node_modules" / name / "package.json"
    if done.exists() and json.loads(done.read_text())["version"] == version:
        return directory
    if shutil.which("node") is None or shutil.which("npm") is None:
        print(f"{name} is not installed: Node.js and npm are missing", file=sys.stderr)
        return None
    directory.mkdir(parents=True, exist_ok=True)
    install = ["npm", "install", "--silent", "--no-save", "--prefix", directory, package]
    return directory if subprocess.run(install, check=False, stdout=sys.stderr).returncode == 0 else None


def build_native(project, package, target, path):
    """A program of the Cargo workspace `project`; `path` is searched for build tools first. None where it does
    not build."""
    command = ["cargo", "build", "--quiet", "--release", "--locked", "--package", package]
    command += ["--manifest-path", project / "Cargo.toml", "--target-dir", target]
    environment = os.environ | {"PATH": f"{path}:{os.environ['PATH']}"}
    try:
        subprocess.run(command, check=True, env=environment, stdout=sys.stderr)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"{package} is not built: {error}", file=sys.stderr)
        return None
    return target / "release" / package


def img2dataset_version(program):
    """Its version, as its own environment knows it."""
    ask = "import importlib.metadata as m; print('img2dataset', m.version('img2dataset'))"
    return first_line([program.parent / "python", "-c", ask])
