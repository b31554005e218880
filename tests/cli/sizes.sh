# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 600
# How large the programs are, as a package would ship them: built by the release preset, stripped.
. "$(dirname "$0")/../tap.sh"

one_kib=152 all_kib=12288 # one that does not read documents; all together

setting() { sed -n "s/^$1:[A-Z]*=//p" "$VM_BUILD/CMakeCache.txt"; }
[ -z "$(setting VM_SANITIZE)" ] && [ "$(setting VM_COVERAGE)" != ON ] || skip_all "an instrumented build"
if [ "$(setting CMAKE_BUILD_TYPE)" = Debug ]; then
	built=$VM_BUILD/sizes
	(cd "$VM_SOURCE" && cmake --preset release -B "$built" -DBUILD_TESTING=OFF && cmake --build "$built" -j 2) >"$T/log" 2>&1 || {
		diag "$(tail -n 20 "$T/log")"
		fail "the release preset builds"
		done_testing
		exit
	}
else
	built=$VM_BUILD
fi

total=0 large= largest=0
# a build directory may hold programs that are gone from the source
for source in "$VM_SOURCE"/bin/*.c; do
	program=$(basename "$source" .c)
	strip -o "$T/stripped" "$built/bin/$program"
	size=$(stat -c %s "$T/stripped")
	total=$((total + size))
	[ "$size" -le "$largest" ] || largest=$size
	# the tables of the model are what makes a program large
	nm "$built/bin/$program" | grep -q ' vm_domain_type$' || [ "$size" -le $((one_kib * 1024)) ] ||
		large="$large $program ($((size / 1024)) KiB)"
done
is "$large" "" "a program without the model has at most $one_kib KiB"
ok "all programs together have at most $all_kib KiB ($((total / 1024)))" test "$total" -le $((all_kib * 1024))
ok "something was measured" test "$largest" -gt 50000
done_testing
