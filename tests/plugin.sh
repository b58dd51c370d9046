#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# plugin.sh: chips behind a shared object (include/hsl/plugin.h; tests/plugin/wrap.c serves sim: so) are tested like others, and what
# cannot be loaded is named.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
build=${HSL_BUILD:-$top/build}
hsltest=$build/hsltest wrap=plugin:$build/tests/plugin/wrap.so
[ -x "$hsltest" ] && [ -f "${wrap#plugin:}" ] || { echo "1..0 # SKIP hsltest or wrap.so is not built"; exit 77; }
unset HSL_FABRIC
dir=$(mktemp -d) || exit 3
# shellcheck source=tests/checks.sh
. "$(dirname "$0")/checks.sh"

run() { expect "$@"; }

run 0 "$hsltest" run --dut "$wrap" --quick 'TXN-00[1-6]' TXN-011 TXN-029 'TXN-02[2-5]' 'QUE-00[1789]' 'QUE-01[23678]' ATM-001 'ORD-00[1-5]' 'MAP-01*' RAS-004 API-009 &&
	[ "$(grep -c '^ok ' "$dir/out")" -gt 40 ] &&
	out '^ok [0-9]+ - HEP-TXN-029 random_walk$' && out '^ok [0-9]+ - HEP-QUE-007 no_lost_wakeup$'
ok "the suite on a plugin: $(sed -n 's/^# \([0-9]* passed.*\)/\1/p' "$dir/out")"
run 0 "$hsltest" run --dut "$wrap,sim:mesh4" --json "$dir/a.json" all_reach_all && grep -q '"driver": "wrap"' "$dir/a.json" && grep -q '"chips": 4' "$dir/a.json"
ok 'with arguments of its own'
run 1 "$hsltest" run --dut "$wrap,lose=300" --timeout 10 exactly_once && out '^not ok'; ok 'a completion that a plugin loses is noticed'
run 77 "$hsltest" run --dut "$wrap,without=0x8" LNK-001 NET-003 CTF-002 COH-004 && [ "$(grep -c '# SKIP chip .* would show it$' "$dir/out")" = 3 ] &&
	out 'coh_storm # SKIP not applicable'
ok 'what observable memory would show is open without it'
echo '{ "P2": 1.0, "P3": ["Base", "Link"] }' >"$dir/pics.json"
run 1 "$hsltest" run --dut "$wrap,without=0x28" --pics "$dir/pics.json" nop && [ "$(grep -c '^# PICS ' "$dir/out")" = 2 ] &&
	out '^# PICS C5, .*: it is mandatory, and not claimed$' && out '^# PICS C6, counters: it is mandatory, and not claimed$'
ok 'facility and counters are mandatory for Link, modelled memory is not'
run 0 "$build/hslctl" list -f "$wrap" && out ' wrap:2 '; ok 'hslctl lists its chips'
run 3 "$hsltest" run --dut "plugin:$build/tests/plugin/wrong.so" TXN-001 && err 'made for version 2 of the plugin interface, libhsl .* has 1'; ok 'another version is named'
run 2 "$hsltest" run --dut "plugin:$build/libhsl.so" TXN-001 && err 'exports no hsl_plugin'; ok 'no plugin'
run 3 "$hsltest" run --dut "plugin:$dir/none.so" TXN-001 && err 'none.so'; ok 'no such file'
run 2 "$hsltest" run --dut "$wrap,sim:nonsense" TXN-001; ok 'what the plugin refuses'
finish
