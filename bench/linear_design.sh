#!/bin/sh
# The linear design that imgmill replaces: download an image, make it gray, put it in the store, take the
# next. Each step is its own program and nothing overlaps. `compare.py` times this script.
#
# usage: linear_design.sh CONVERT WORK_DIRECTORY STORE_DIRECTORY < list of URLs
set -eu

convert=$1
work=$2
store=$3

while read -r url; do
    name=${url##*/}
    curl --silent --fail --output "$work/$name" "$url"
    "$convert" "$work/$name" -set colorspace Gray -separate -average "$work/gray_$name"
    cp "$work/gray_$name" "$store/$name"
done
