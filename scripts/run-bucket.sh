#!/bin/sh
# Bucket to pyramids, shown whole and without an account: three folders play the buckets. Puts samples into the first,
# tells of them as S3 would, drains, and says where to look. `make run-bucket` builds what it needs and calls it.
set -eu

target=${CARGO_TARGET_DIR:-$(pwd)/target}
imgmill=$target/release/imgmill
samples=$target/release/imgmill-samples

# Folders of its own, begun afresh: nobody's originals are touched.
rm -rf samples/bucket
mkdir -p samples/bucket
cd samples/bucket
mkdir originals process pyramids
export RBSC_BUCKET="file://$PWD/originals" PROCESS_BUCKET="file://$PWD/process" IMAGE_BUCKET="file://$PWD/pyramids"

"$samples" write originals/digital/isaac_gala --count 3 --width 2400 --height 1600
"$samples" kinds originals/collections/kinds --width 640 --height 480
# Not every file that is put is an image.
echo "This is a letter, whatever it is called." >originals/collections/letter.png

# What S3 sends for each object that is put: see "Event message structure" in its documentation.
number=0
: >events.json
for file in $(cd originals && find . -type f | sed 's|^\./||' | sort); do
    number=$((number + 1))
    printf '{"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "%s"}, "object": {"key": "%s", "sequencer": "%016X"}}}]}\n' \
        originals "$file" "$number" >>events.json
done

echo "+ imgmill bucket record events.json"
"$imgmill" bucket record events.json --log-level warn
echo "+ imgmill bucket status"
"$imgmill" bucket status
echo "+ imgmill bucket drain"
code=0
"$imgmill" bucket drain --log-level error || code=$?
# 3 is what the letter is meant to show.
[ $code -eq 0 ] || [ $code -eq 3 ] || exit $code
echo "+ imgmill bucket status"
"$imgmill" bucket status

echo
echo "The pyramids, in $PWD/pyramids:"
(cd pyramids && find . -name '*.tif' -size +0 | sed 's|^\./|  |' | sort)
