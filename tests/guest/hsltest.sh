#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# hsltest.sh [disruptive|user]: the conformance suite on the driver: as root, as root with resets, or as uid 1000.
# Its TAP goes to the runner, so that every requirement counts there by itself.
case ${1:-} in
disruptive)
	exec hsltest run --tap --disruptive
	;;
user)
	# everybody's node here, so that it is the driver that decides
	chmod 666 /dev/hsl0
	exec /hsl/tests/guest/as_user 1000 hsltest run --tap
	;;
*)
	exec hsltest run --tap
	;;
esac
