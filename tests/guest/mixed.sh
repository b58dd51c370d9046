#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# mixed.sh: one fabric of chips that can do different things. Chip 2 has no atomics, reductions, sensors, test facility, and few
# queues; chip 3 no windows, observable memory, counters, FILL, LOAD, STORE, SIGNAL, WAIT, FENCE; chip 4 is another maker's, which takes shorter commands. Tools show each as it is, and nothing is wrong with any of them; what commands do: mixed.c.
out=/tmp/mixed.out
. /hsl/tests/guest/checks.sh

run 0 hslctl list && has '^ +1 .* 256 MiB .* 63/63 .* C +1.0 +hsl_pci$' && has '^ +2 .* 512 MiB .* 3/3 .* - +1.0 +hsl_pci$' &&
	has '^ +3 .* 128 MiB .* 63/63 .* C +1.0 +hsl_pci$' && has '^ +4 .* 7/7 .* - +1.0 +vendor_chip$'
ok 'list: memory, queues and sensors of each'
run 0 hslctl list --json && [ "$(grep '"capabilities"' $out | sort -u | wc -l)" = 4 ]; ok 'list --json: four kinds of capabilities'
run 0 hslctl doctor && healthy && ! has '^WARN' && has ' 0 warnings, 0 failed, 0 not checked$'; ok 'doctor finds nothing wrong'
run 0 hslctl stat && has '^ +1 +0 +chip 2 +0 ' && has '^ +3 +0 +chip 1 +-' && has '^ +4 +2 +chip 3 +-' && has '^ +3 +45\.[0-9] ' && ! has '^ +2 +45\.'
ok 'stat: counters and sensors of chips that have them'
run 0 hslctl stat --json && has '"counters": null' && has '"counters": \{'; ok 'stat --json: null for those that have none'
run 0 hslctl stat --node 3 && has '^ +3 +45\.[0-9] '; ok 'stat of a chip with sensors and without counters'
run 3 hslctl stat --node 3 --link 0 && has '^hslctl: chip 3 has no counters'; ok 'stat of its link'
run 0 hslctl link && has '^ +2 +0 .* 0 +0$' && has '^ +3 +0 .* - +-$'; ok 'link'
run 0 hslctl monitor --for 1s --json && has '"counters":null'; ok 'monitor'
run 3 hslctl inject --node 2 --link 0 drop 0.1 --for 1ms && has '^hslctl: chip 2 has no test facility'; ok 'inject: no test facility'
run 0 hslctl inject --node 1 --link 0 drop 0.1 --for 1ms; ok 'inject at the other end of that link'
for node in 1 2 3 4; do
	run 0 sh -c "echo 1 >$(readlink -f /sys/bus/hsl/devices/hsl0-$node/..)/reset" && run 0 hslctl doctor && healthy
	ok "chip $node comes back from an FLR"
done
(finish) || exit 1
exec /hsl/tests/guest/mixed
