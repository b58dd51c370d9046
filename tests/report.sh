#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# report.sh: what hsltest says about a run, in every format: verdicts, waivers, an early end, a hang, two runs compared. Chips that
# are wrong on purpose (qemu/model/deviations.def) are what it has to tell of.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
build=${HSL_BUILD:-$top/build}
hsltest=$build/hsltest
[ -x "$hsltest" ] || { echo "1..0 # SKIP hsltest is not built"; exit 77; }
unset HSL_FABRIC
dir=$(mktemp -d) || exit 3
# shellcheck source=tests/checks.sh
. "$(dirname "$0")/checks.sh"

run() { # run STATUS ARG…
	status=$1
	shift
	expect "$status" "$hsltest" "$@"
}
# py CODE: with d, the document of $dir/a.json; true unless an assertion fails
py() { python3 -c "
import json, sys, xml.dom.minidom
d = json.load(open('$dir/a.json'))
req = {q['requirement']: q for q in d['requirements']}
cls = {c['class']: c for c in d['classes']}
res = {r['test']: r for r in d['results']}
$1" 2>"$dir/err"; }
xml() { python3 -c "import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])" "$1" 2>"$dir/err"; }
# a page that needs nothing from outside, and ends
page() { grep -q '^</html>$' "$1" && ! grep -Eiq '(src|href)="[^#]|url\(|@import|<script' "$1"; }

files="--json $dir/a.json --junit $dir/a.xml --html $dir/a.html"

# ---- a good chip
# shellcheck disable=SC2086
run 0 run -f sim:pair2 $files --set vendor='A & B <Ltd>' --set serial=42 --quick 'TXN-00[1-6]' LNK-003 API-002 && out '^TAP version 13$'; ok 'files beside TAP'
py "assert req['HEP-TXN-004']['verdict'] == 'pass' and req['HEP-LNK-003']['verdict'] == 'pass'
assert req['HEP-API-002']['verdict'] == 'skip' and 'kernel' in req['HEP-API-002']['evidence']
assert req['HEP-REG-001']['verdict'] == 'not-run' and req['HEP-COH-001']['verdict'] == 'not-run'
assert len(d['suite']['profile_sha256']) == 64 and d['environment']['stated']['serial'] == '42'
assert d['dut']['chips'][0]['links'][0]['peer'] == 2 and d['dut']['chips'][1]['capabilities']['COPY'] is True
assert d['environment']['started'] <= d['environment']['ended'] and not d['summary']['interrupted']"; ok 'the document'
run 0 run -f sim:pair2 --json "$dir/some.json" copy_alignment && python3 -c "
import json, sys
q = [q for q in json.load(open(sys.argv[1]))['requirements'] if q['requirement'] == 'HEP-TXN-004'][0]
assert q['verdict'] == 'not-run' and q['evidence'] == '1 of 2 tests not chosen', q" "$dir/some.json"
ok 'a requirement of which not every test was chosen is not passed'
py "assert cls['HEP-Base']['verdict'] == 'incomplete' and cls['HEP-Base']['count']['pass'] >= 5
assert all(c['must'] == sum(c['count'].values()) for c in d['classes'])
assert sum(c['must'] for c in d['classes']) == sum(q['level'] == 'MUST' for q in d['requirements'])"
ok 'a class with an untested MUST is incomplete, and every MUST is in one class'
[ "$(sha256sum <"$top/docs/hep.md" | cut -d' ' -f1)" = "$(sed -n 's/.*"profile_sha256": "\(.*\)",/\1/p' "$dir/a.json")" ]; ok 'the hash is of docs/hep.md'
xml "$dir/a.xml" && grep -q 'classname="HEP-TXN-004" name="copy_sizes"' "$dir/a.xml" && grep -q '<skipped message="skip: no kernel' "$dir/a.xml"; ok 'JUnit'
page "$dir/a.html" && grep -q 'A &amp; B &lt;Ltd&gt;' "$dir/a.html" && ! grep -q '<Ltd>' "$dir/a.html"; ok 'HTML: self-contained, escaped'
run 0 report "$dir/a.json" --html "$dir/zh.html" --lang zh_CN && page "$dir/zh.html" && grep -q 'lang="zh-CN"' "$dir/zh.html" && grep -q '符合性测试报告' "$dir/zh.html"
ok 'HTML from the document, in Chinese'
[ "$(grep -c '<tr id="HEP-' "$dir/a.html")" = "$(grep -c '^{ "HEP-' "$top/tools/hsltest/requirements.h")" ]; ok 'HTML: every requirement has its row'
# every text of the pages is known to the table of texts
grep -ho 'T("[^"]*")\|ht_tr([a-z>p.-]*lang, "[^"]*")' "$top"/tools/hsltest/html*.c "$top"/tools/hsltest/diff.c | sed 's/^[^"]*"//; s/")$//' | sort -u >"$dir/texts"
while IFS= read -r text; do
	grep -qF "{ \"$text" "$top/tools/hsltest/html_text.c" || echo "no translation: $text"
done <"$dir/texts" >"$dir/out"
[ "$(wc -l <"$dir/texts")" -gt 60 ] && [ ! -s "$dir/out" ]; ok 'every text of a page has its Chinese'
cp "$dir/a.json" "$dir/good.json"

# ---- the PICS form, with the maker's answers
pics() { # the item of the form
	py "i = {i['item']: i for i in d['pics']['items']}['$1']
assert $2, i"
}
cat >"$dir/pics.json" <<-EOT
	{ "P1": "Example & Sons", "P2": "1.1", "P3": ["Base"], "C2": false, "O8": true, "X1": "10 ms", "X2": 1.5 }
EOT
# shellcheck disable=SC2086
run 1 run -f sim:pair2,deviate=copy2d-gap $files --quick --tap --pics "$dir/pics.json" TXN-001 TXN-002 TXN-018 &&
	out '^# PICS P2, .*: the maker says 1\.1, the device 1\.0$' && out '^# PICS C2, .*: the maker says no, the device yes$' && out '^# PICS O8, COPY2D: it is claimed, and HEP-TXN-018 failed$' && out '^# PICS P3, .*: Base is claimed, and is failed$' &&
	pics O1 "i['verdict'] == 'pass' and i['claim'] is None" && pics C2 "i['claim'] == 'yes' and i['answer'] == 'no'" &&
	pics X1 "i['answer'] == '10 ms' and not i['contradiction']" && pics X2 "i['answer'] == '1.5'" && pics O4 "i['claim'] == 'yes' and i['verdict'] == 'not-run'" &&
	py "assert d['pics']['contradictions'] == 4 and len(d['pics']['items']) == $(sed '1,/^### 14.2/d' "$top/docs/hep.md" | grep -c '^| [PCOQLX][0-9] |')"
ok 'the form holds what device, maker and tests say, and where they disagree'
page "$dir/a.html" && grep -q 'Example &amp; Sons' "$dir/a.html" && [ "$(grep -c 'class="v contradiction"' "$dir/a.html")" = 4 ] &&
	run 0 report "$dir/a.json" --html "$dir/zh.html" --lang zh_CN && page "$dir/zh.html" && grep -q '厂商回答' "$dir/zh.html"
ok 'HTML has the form'
sed 's/.*{ "\(P[0-9]\|[COQLX][0-9]\)", "\([^"]*\)", "[^"]*", "\([^"]*\)",.*/\2\n\3/;t;d' "$top/tools/hsltest/pics.c" | while IFS= read -r text; do
	grep -qF "{ \"$text\"" "$top/tools/hsltest/html_text.c" || echo "no translation: $text"
done >"$dir/out"
[ ! -s "$dir/out" ]; ok 'every text of the form has its Chinese'
for answers in '{"Z9": true}' '{"C2": "yes"}' '{"P3": ["Foo"]}' '[1' 'null'; do
	echo "$answers" >"$dir/pics.json"
	run 2 run -f sim:pair2 --pics "$dir/pics.json" nop && err 'hsltest: --pics'
	ok "answers that are refused: $answers"
done
run 3 run -f sim:pair2 --pics "$dir/none.json" nop && err 'No such file'; ok 'answers that are not there'

# ---- a bad one
# shellcheck disable=SC2086
run 1 run -f sim:pair2,deviate=copy-short $files --quick 'TXN-00[1-6]' LNK-003 API-002; ok 'a wrong chip is status 1'
py "assert req['HEP-TXN-004']['verdict'] == 'fail' and cls['HEP-Base']['verdict'] == 'failed'
assert cls['HEP-Link']['verdict'] == 'failed' and cls['HEP-Link']['count']['fail'] == 0 and cls['library']['verdict'] == 'incomplete' and d['summary']['failed'] == sum(r['failures'] for r in d['results']) > 1"
ok 'its requirement and class have failed, and the classes that include it'
xml "$dir/a.xml" && grep -q '<failure message=' "$dir/a.xml" && page "$dir/a.html" && grep -q '<h2>Failures</h2>' "$dir/a.html"; ok 'JUnit and HTML name the failures'
again=$(python3 -c "import json; print([r['reproduce'] for r in json.load(open('$dir/a.json'))['results'] if r['verdict'] == 'fail'][0])")
reason=$(python3 -c "import json; print([r['reason'] for r in json.load(open('$dir/a.json'))['results'] if r['verdict'] == 'fail'][0])")
# shellcheck disable=SC2086
run 1 ${again#hsltest } && grep -qF -- "$reason" "$dir/out"; ok "how to see it again is right: $again"
run 1 run --table -f sim:pair2,deviate=copy-forward random_walk && out 'shrunk to the 1 operation below' && out '^ +1\. q[0-9] COPY b'
ok 'the random walk shrinks to the operation that is wrong'
run 1 run -f sim:pair2,deviate=read-cache random_walk && out '^# 2\. ' && ! out '^# 3\. '; ok 'and to two where it takes two'

# ---- comparing
run 1 report "$dir/good.json" "$dir/a.json" --html "$dir/diff.html" && out '^ +worse +HEP-TXN-004 +pass +fail' && out '^[0-9]+ requirements worse, 0 better' && page "$dir/diff.html"
ok 'report A B: worse is status 1'
run 0 report "$dir/a.json" "$dir/good.json" && out '^ +better +HEP-TXN-004 +fail +pass'; ok 'report B A: better'
run 0 report "$dir/good.json" "$dir/good.json" && out '^0 requirements worse, 0 better, 0 otherwise different'; ok 'report A A: the same'
while read -r a b how; do
	python3 -c "
import json, sys
d = json.load(open('$dir/good.json'))
for name, verdict in zip(('x', 'y'), sys.argv[1:]):
    d['requirements'] = [{'requirement': 'HEP-TXN-004', 'verdict': verdict}]
    json.dump(d, open('$dir/' + name + '.json', 'w'))" "$a" "$b"
	status=0
	[ "$how" != worse ] || status=1
	run $status report "$dir/x.json" "$dir/y.json" && out "^ +$how +HEP-TXN-004 +$a +$b"
	ok "report: $a, then $b is $how"
done <<-END
	inconclusive fail worse
	error fail worse
	waived fail worse
	not-run fail worse
	fail not-applicable changed
	fail waived changed
	skip not-applicable changed
	error pass better
END
echo '{"schema":"hslctl/1"}' >"$dir/other.json"
run 3 report "$dir/other.json" --html "$dir/x.html" && err 'not a document'; ok 'another document is refused'
run 3 report "$dir/none.json" --html "$dir/x.html"; ok 'no document is 3'

# ---- more chips than are tested
run 0 run -f sim:ring65 --json "$dir/a.json" --html "$dir/a.html" node_ids && out ', 64 of 65 chips, ' && grep -q '<td>64 / 65</td>' "$dir/a.html" &&
	grep -q 'more chips than a run tests' "$dir/a.html" &&
	py "assert (d['environment']['chips'], d['environment']['chips_present'], len(d['dut']['chips'])) == (64, 65, 64)"
ok 'a fabric of 65 chips: 64 of 65 are tested, in every format'

# ---- a capture beside the tests
run 0 run -f "sim:pair2,capture=$dir/x.pcapng" ctf_crc_errors &&
	run 0 run -f sim:pair2 --trace "$dir/x.pcapng" --json "$dir/a.json" nop && out '^1\.\.8$' && out '^ok 2 - HEP-LNK-001 trace$' &&
	py "assert req['HEP-LNK-001']['verdict'] == 'pass' and req['HEP-LNK-001']['reproduce'].startswith('hsltest check-trace ')
assert cls['HEP-Link']['count']['pass'] >= 5"
ok '--trace: requirements that only a capture shows'
run 3 run -f sim:pair2 --trace "$dir/other.json" nop && err 'other.json'; ok 'a file that is no capture is 3'

# ---- waivers
printf '# name | owner | until | reason\nHEP-TXN-004 | Li Wei | 2099-01-01 | erratum 7: odd | even\nrandom_walk | Li Wei | - | the same\n' >"$dir/w"
# shellcheck disable=SC2086
run 0 run -f sim:pair2,deviate=copy-short $files --waivers "$dir/w" copy_alignment && out '^not ok 1 .* # TODO waived by Li Wei: erratum 7: odd \| even$'; ok 'a waived failure is not status 1'
py "assert req['HEP-TXN-004']['verdict'] == 'waived' and cls['HEP-Base']['count']['waived'] == 1
assert [w['used'] for w in d['waivers']] == [True, False]"; ok 'it is waived, not passed, and an unused waiver shows'
while IFS='@' read -r entry words; do
	echo "$entry" >"$dir/w"
	run 2 run -f sim:pair2 --waivers "$dir/w" TXN-001 && err "line 1: .*$words"; ok "refused waiver: $words"
done <<-END
	copy_sizes | Li Wei | 2020-01-01 | old@it is over
	no_such_test | Li Wei | - | why@no test or requirement
	copy_sizes | | - | why@owner
	copy_sizes | Li Wei | soon | why@date
	copy_sizes | Li Wei | -@reason
END
printf 'nop | A | - | b\nnop | A | - | b\n' >"$dir/w"
run 2 run -f sim:pair2 --waivers "$dir/w" TXN-001 && err 'line 2: this name comes twice'; ok 'refused waiver: twice'

# ---- rounds, ends, hangs
run 0 run -f sim:pair2 --repeat 3 TXN-001 TXN-006 && out '^1\.\.6$' && out '^ok 6 - HEP-TXN-006 fill \(round 3\)$'; ok '--repeat'
run 1 run -f sim:pair2,deviate=copy-short --repeat 2 --stop-on-fail copy_alignment TXN-006 && out 'Bail out' && ! out 'round 2'; ok '--stop-on-fail'
: >"$dir/out" # of the run before, which has lines that are waited for
# shellcheck disable=SC2086
"$hsltest" run --tap -f sim:pair2 --repeat 1000000 $files nop >"$dir/out" 2>&1 &
pid=$!
for _ in $(seq 600); do
	grep -q '^ok 3 ' "$dir/out" && break
	sleep 0.1
done
kill -TERM $pid
wait $pid
[ $? = 1 ] && out '^Bail out! interrupted, 0 tests not run, [0-9]+ of 1000000 rounds$' && out '^# 1 passed, .*, [0-9]+ of 1000000 rounds$' &&
	grep -q 'ended early' "$dir/a.html" && grep -Eq '<td>[0-9]+ / 1000000</td>' "$dir/a.html" &&
	py "e = d['environment']
assert d['summary']['interrupted'] and not d['summary']['not_run'] and 3 <= e['rounds_done'] < e['rounds'] == 1000000"
ok '--repeat: ended after round 1 is interrupted, with the rounds that were done'
: >"$dir/out"
"$hsltest" run --tap -f sim:pair2,deviate=copy-short $files >"$dir/out" 2>&1 &
pid=$!
for _ in $(seq 600); do
	grep -q '^ok 1 ' "$dir/out" && break
	sleep 0.1
done
kill -TERM $pid
wait $pid
[ $? = 1 ] && py "assert d['summary']['interrupted'] and d['summary']['not_run'] > 50 and d['results']" && xml "$dir/a.xml" && page "$dir/a.html" &&
	grep -q 'ended early' "$dir/a.html"
ok 'interrupted: JSON, JUnit and HTML are whole'
py "n = sum(r['verdict'] == 'not-run' for r in d['results'])
x = xml.dom.minidom.parse('$dir/a.xml')
cases = {c.getAttribute('name'): c for c in x.getElementsByTagName('testcase')}
skipped = [s.getAttribute('message') for s in x.getElementsByTagName('skipped')]
total = x.documentElement.getAttribute
assert n == d['summary']['not_run'] == sum(m.startswith('not-run: ') for m in skipped)
assert cases['interrupted'].getElementsByTagName('error')[0].getAttribute('message') == f'the run ended early: {n} tests not run'
assert int(total('tests')) == len(d['results']) + 1 == len(x.getElementsByTagName('testcase')) and int(total('errors')) == d['summary']['errors'] + 1"
ok 'interrupted: what was not run is in JSON and JUnit, and the end is an error there'
# shellcheck disable=SC2086
run 1 run -f sim:pair2,deviate=opcode-wedges $files --timeout 4 reserved_opcodes TXN-001 && out '^ok 1 - HEP-TXN-001' && out 'timed out after 4 s' && out '^# chip 2: .*link 0 to 1: L0 x16'
ok 'a hang is a failure with queues and links, and the suite goes on'
py "assert res['reserved_opcodes']['verdict'] == 'fail' and 'link 0 to 2' in res['reserved_opcodes']['dump']"; ok 'the document has the dump'
mkdir "$dir/sub"
for f in --html= --junit= --json=; do
	run 3 run -f sim:pair2 "$f$dir/none/x" TXN-001 && err 'none/x: No such file' && [ ! -s "$dir/out" ] && run 3 run -f sim:pair2 "$f$dir" TXN-001 &&
		err "$dir: Is a directory" && [ ! -s "$dir/out" ]
	ok "a report that cannot be written is 3, before anything is tested: $f"
done

# ---- usage
while IFS= read -r args; do
	# shellcheck disable=SC2086
	run 2 $args && err '^hsltest: ' && [ ! -s "$dir/out" ]; ok "refused with 2: hsltest $args"
done <<-END
	run -f http://example.com
	run -f sim:pair2 --lang de
	run -f sim:pair2 --repeat 0
	run -f sim:pair2 --set colour=red
	report
	report $dir/good.json
	report $dir/good.json $dir/good.json $dir/good.json
	report $dir/good.json $dir/good.json --junit $dir/x
END
finish
