#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# engine.sh: can the unit tests of the engine fail? Each mutant replaces one line of the engine by another; the program
# named has to fail then. Without a mutant it passes. A lost wake-up shows after the time that the tests wait, cut short here.
set -euo pipefail
cd "$(dirname "$0")/../.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
flags='-O1 -std=gnu11 -D_GNU_SOURCE= -fno-strict-aliasing -w -pthread -Iinclude -Iinclude/uapi -Iqemu -Iqemu/engine -Iqemu/model -I. -Itests -DFAKE_WAIT_MS=5000'
n=0 failed=0

compile() { # compile SOURCE OBJECT
	# shellcheck disable=SC2086
	${CC:-cc} $flags -c -o "$2" "$1"
}

verdict() { # verdict STATUS TEXT
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		failed=1
	fi
}

program() { # program NAME OBJECT-DIR: built there; the objects there take the place of the unchanged ones
	local o objects=()
	for o in "$dir"/whole/*.o; do
		if [ -f "$2/${o##*/}" ]; then objects+=("$2/${o##*/}"); else objects+=("$o"); fi
	done
	compile "tests/unit/$1.c" "$2/$1.main"
	${CC:-cc} -pthread -o "$2/$1" -x none "$2/$1.main" "${objects[@]}" -lcmocka -lm
}

object() { # object FILE: its name, as files of both directories may have the same
	echo "${1//\//_}.o"
}

mutant() { # mutant NAME PROGRAM FILE LINE WITH: LINE is in FILE, below qemu/, once, but for its indentation
	local d=$dir/$1 rc=0
	mkdir "$d"
	LINE=$4 WITH=$5 awk '
		{ text = $0; sub(/^[ \t]+/, "", text) }
		text == ENVIRON["LINE"] { found++; $0 = ENVIRON["WITH"] }
		{ print }
		END { exit found != 1 }' "qemu/$3" >"$d/${3##*/}" || { verdict 1 "$1: the line is not in $3, or twice"; return; }
	compile "$d/${3##*/}" "$d/$(object "$3")"
	program "$2" "$d"
	timeout 120 "$d/$2" >"$d/out" 2>&1 || rc=$?
	[ $rc != 0 ] && [ $rc != 124 ] && rc=0 || rc=1
	verdict $rc "$1 is caught by $2"
}

mkdir "$dir/whole" "$dir/none"
for f in qemu/engine/*.c qemu/model/*.c; do
	compile "$f" "$dir/whole/$(object "${f#qemu/}")"
done
rc=0
program test_engine_shadow "$dir/none"
"$dir/none/test_engine_shadow" >&2 || rc=$?
verdict $rc "test_engine_shadow passes without a mutant"

mutant flag-not-set test_engine_shadow engine/queue.c 'q->asleep = need;' 'q->asleep = need; if (need) return;'
mutant tail-not-read-again test_engine_shadow engine/queue.c 'return !submitted(q);' 'return true;'
mutant tail-trusted test_engine_shadow engine/queue.c 'return tail - atomic_load(&q->taken) <= q->depth;' 'return true;'
mutant abort-by-doorbell test_engine_shadow engine/queue.c 'tail = atomic_load(&q->tail);' \
	'tail = q->shadow ? atomic_load(&q->taken) : atomic_load(&q->tail);'
mutant not-announced test_engine_race engine/queue.c \
	'atomic_store(&q->completed, atomic_load_explicit(&q->completed, memory_order_relaxed));' 'return;'

mutant credit-not-kept test_engine_ctf model/link.c 'if (!(l->frozen >> vc & 1)) {' 'if (vc < HSL_VC_COUNT) {'
mutant number-not-preset test_engine_ctf model/link.c 'l->una = l->cursor = l->next = l->expected = l->first_seq;' \
	'l->una = l->cursor = l->next = l->expected = 0;'
mutant forged-flit-taken test_engine_ctf model/fab_test.c \
	'if (hsl_link_expected(l) == expected && in_order(f, p)) {' 'if (hsl_link_expected(l) >= expected) {'
mutant errors-stay test_engine_ctf model/fab_test.c 'hsl_wire_set(&port->wire, &f->cfg.errors);' ';'
mutant hit-too-early test_engine_ctf model/fab_test.c 'if (t->pass) {' 'if (t->pass > 1) {'
mutant lanes-stay test_engine_ctf model/fab_test.c 'fab_port_event(f, p, HSL_PHY_RETRAIN);' ';'
mutant states-missed test_engine_ctf model/fab_test.c 'while (t->changes != port->phy.changes) {' \
	'if (t->changes != port->phy.changes) {'
mutant lost-not-counted test_engine_ctf engine/facility.c 'k->lost++;' ';'
mutant channel-not-checked test_engine_ctf engine/facility.c 'if (a->t->arg[0] >> HSL_VC_COUNT) {' 'if (a->t->arg[0] >> 6) {'
mutant commands-when-locked test_engine_ctf engine/facility.c '} else if (a.t->open && o == HSL_CTF_CMD) {' \
	'} else if (o == HSL_CTF_CMD) {'
echo "1..$n"
exit $failed
