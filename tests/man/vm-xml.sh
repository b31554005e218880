# SPDX-License-Identifier: LGPL-2.1-or-later
# vm-xml(5) and the fuzzers' dictionary list what the tables have; VM_TEST_UPDATE=1 writes them anew.
. "$(dirname "$0")/../tap.sh"

page=$VM_SOURCE/man/vm-xml.5
dict=$VM_SOURCE/tests/fuzz/domain.dict
walk=$VM_BUILD/tests/model-walk
[ -x "$walk" ] || skip_all "model-walk is not built"

{
	sed '/^\.\\" BEGIN/q' "$page"
	"$walk" --mdoc
	sed -n '/^\.\\" END/,$p' "$page"
} >"$T/page"
{
	echo "# generated from the tables; VM_TEST_UPDATE=1 sh tests/man/vm-xml.sh"
	"$walk" --dict
} >"$T/dict"
if [ -n "${VM_TEST_UPDATE:-}" ]; then
	cat "$T/page" >"$page"
	cat "$T/dict" >"$dict"
fi
is "$(diff "$page" "$T/page")" "" "vm-xml(5) lists what is supported"
is "$(diff "$dict" "$T/dict")" "" "the dictionary has every name"
is "$("$walk" --rows | sort | uniq -d)" "" "no datum is read twice"
done_testing
