#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# vendor_base.sh: every chip is another maker's (qemu/hw/hsl/hsl-vendor.c), with its driver: one run of hsltest takes it to HEP-Base passed.
out=/tmp/vendor_base.out

hsltest run --tap --disruptive --bring-up /hsl/tests/guest/vendor_up.sh >$out
status=$?
cat $out
[ $status = 0 ] || exit $status
grep -Eq '^# HEP-Base +passed' $out || { echo 'HEP-Base is not passed' >&2; exit 1; }
