#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# capture.sh: captures (docs/capture.md) as Wireshark's reader and our dissector see them: every field that
# was put in comes out, what is wrong is noted where it is and nowhere else, nothing hostile stops the dissector.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
build=${HSL_BUILD:-$top/build}
for tool in tshark capinfos editcap; do
	command -v $tool >/dev/null || { echo "1..0 # SKIP $tool is not installed (qemu/deps capture)"; exit 77; }
done
tshark -v 2>/dev/null | grep -q 'with Lua' || { echo "1..0 # SKIP this tshark has no Lua"; exit 77; }
gen=$build/asan/tests/model/gen_capture wrong=$build/asan/tests/model/gen_wrong fabric=$build/tests/model/gen_fabric
[ -x "$gen" ] && [ -x "$wrong" ] && [ -x "$fabric" ] || { echo "1..0 # SKIP gen_capture is not built"; exit 77; }
dir=$(mktemp -d) || exit 3
# shellcheck source=tests/checks.sh
. "$top/tests/checks.sh"
show() { head -n 20 "$dir/diff" 2>/dev/null; }
export HOME="$dir"	# no plugins and preferences of the user's

# what tshark says about loading and dissecting is an error, but for its warning about root
shark() {
	tshark -X "lua_script:$top/tools/wireshark/hsl.lua" "$@" 2>"$dir/err" || return 1
	! grep -v '^Running as user' "$dir/err" >&2
}
fields() { # fields FILE OPTION…: the columns that FILE.expected names
	file=$1
	shift
	# shellcheck disable=SC2046
	shark -r "$file.pcapng" "$@" -T fields -E occurrence=a -E aggregator=, \
		$(head -n 1 "$file.expected" | tr '\t' '\n' | sed 's/^/-e /') | sed 's/True/1/g; s/False/0/g'
}
same() { diff "$1" "$2" >"$dir/diff"; }
no_error() { # no_error FILE RECORDS: dissected to the last record, no error of the script
	shark -r "$1" -V >"$dir/text" && ! grep -m 3 'Lua Error' "$dir/text" &&
		[ "$(grep -c '^Frame [0-9]' "$dir/text")" = "$2" ]
}

for seed in 1 2 3; do
	f=$dir/fields$seed
	"$gen" "$f.pcapng" "$f.expected" $seed 600 || exit 3
	tail -n +2 "$f.expected" >"$f.want"
	fields "$f" -2 >"$f.got" && same "$f.want" "$f.got"
	ok "seed $seed: $(wc -l <"$f.want") records, fields as they were put in"
	# the last column is what only a second pass can know
	fields "$f" | sed 's/\t[^\t]*$//' >"$f.got" && sed 's/\t[^\t]*$//' "$f.want" >"$f.want1" && same "$f.want1" "$f.got"
	ok "seed $seed: in one pass"
done
f=$dir/fields1
capinfos "$f.pcapng" >"$dir/info" 2>/dev/null && cp "$dir/info" "$dir/diff" && grep -q 'Capture hardware:  *made by hand' "$dir/info" &&
	grep -q 'Capture application: *gen_capture' "$dir/info" && grep -q 'Number of interfaces in file: 4' "$dir/info" &&
	grep -q 'Name = 2-28672' "$dir/info" && grep -q 'Time resolution = 0x0c' "$dir/info" &&
	grep -q 'Speed = 1792000000000' "$dir/info" && grep -q 'Strict time order: *' "$dir/info"
ok 'capinfos reads section and interfaces'

records=$(wc -l <"$f.want")
for length in 1 15 16 31 32 271; do
	editcap -s $length "$f.pcapng" "$dir/short.pcapng" && no_error "$dir/short.pcapng" "$records" &&
		[ "$(shark -r "$dir/short.pcapng" -Y 'hsl.expert.short' -T fields -e frame.number | wc -l)" -gt 0 ]
	ok "records cut to $length bytes"
done
for rate in 0.01 0.5; do
	editcap --seed 1 -E $rate "$f.pcapng" "$dir/damaged.pcapng" 2>/dev/null && no_error "$dir/damaged.pcapng" "$records"
	ok "bytes damaged with probability $rate"
done

f=$dir/wrong
"$wrong" "$f.pcapng" "$f.expected" 1 800 || exit 3
end=$(sed -n 's/^end //p' "$f.expected")
notes='opcode channel reserved poison status cut orphan nak replayed gap crc format fresh short'
# shellcheck disable=SC2046
shark -r "$f.pcapng" -Y "frame.number < $end" -T fields -e frame.number $(printf -- '-e hsl.expert.%s ' $notes) >"$f.notes"
column=1
for note in $notes; do
	column=$((column + 1))
	sed -n "s/^$note //p" "$f.expected" >"$f.want"
	awk -F'\t' -v c=$column '$c != "" { print $1 }' "$f.notes" >"$f.got" && [ -s "$f.want" ] && same "$f.want" "$f.got"
	ok "noted where it is and nowhere else: $note"
done
no_error "$f.pcapng" $((end + 799))
ok 'random contents with a right CRC'

f=$dir/fabric
"$fabric" "$f.pcapng" ring 3 1 300 0.02 || exit 3
shark -r "$f.pcapng" -Y '(_ws.expert.severity == error || hsl.expert.gap) && hsl.rx == 0' >"$dir/diff" && [ ! -s "$dir/diff" ] &&
	shark -r "$f.pcapng" -Y '_ws.expert.severity == error && !hsl.expert.crc' >"$dir/diff" && [ ! -s "$dir/diff" ] &&
	shark -r "$f.pcapng" -Y 'hsl.rx == 1 && (hsl.expert.gap || hsl.expert.crc)' >"$dir/got" && [ -s "$dir/got" ]
ok 'a modelled fabric with errors of its wires: replays, nothing impossible'
shark -2 -r "$f.pcapng" -Y 'hsl.pkt.response_in && hsl.pkt.tag_owner == 1' -T fields -e hsl.pkt.opcode >"$f.got" &&
	grep -q 0x10 "$f.got" && grep -q 0x11 "$f.got" &&
	shark -r "$f.pcapng" -Y 'hsl.pkt.latency_ps > 200000 && hsl.flit.verdict == 0' >"$f.got" && [ -s "$f.got" ]
ok 'and its requests find their answers'

finish
