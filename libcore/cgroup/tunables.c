/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tunable.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cli.h>

/* clang-format off */
#define SHARES_MIN 2u
#define SHARES_MAX 262144u
#define PERIOD 1000u, 1000000u /* Source: sched-bwc.rst: 1 ms to 1 s */
#define QUOTA  1000u, UINT64_C(17592186044415) /* Source: the kernel's max_cfs_runtime, in us */
#define U32    0, UINT32_MAX
#define U64    0, UINT64_MAX
/* 2^53 - 1 KiB and more are no limit, as libvirt has it. */
#define BYTES  0, (UINT64_C(9007199254740991) << 10)

#define BANDWIDTH(prefix, group)                                                                   \
	{ prefix "_period", "cputune/" prefix "_period", VM_TUNE_PERIOD, group, VM_CGROUP_CPU,     \
	  .min = 1000, .max = 1000000,                                                             \
	  .v1 = { { "cpu.cfs_period_us", NULL, PERIOD } }, .v2 = { { "cpu.max", "period", PERIOD } } }, \
	{ prefix "_quota", "cputune/" prefix "_quota", VM_TUNE_QUOTA, group, VM_CGROUP_CPU,        \
	  .min = 1000, .max = UINT64_C(17592186044415),                                            \
	  .v1 = { { "cpu.cfs_quota_us", NULL, QUOTA } }, .v2 = { { "cpu.max", "quota", QUOTA } } }
#define MEMORY(name, k, file1, file2)                                                              \
	{ name, "memtune/" name, k, VM_TUNE_IN_QEMU, VM_CGROUP_MEMORY, .max = UINT64_MAX,          \
	  .v1 = { { file1, NULL, BYTES } }, .v2 = { { file2, NULL, BYTES } } }
#define RATE(name, file1, key2, limit)                                                             \
	{ "device_" name, name, VM_TUNE_RATE, VM_TUNE_IN_QEMU, VM_CGROUP_IO, .per_device = true,   \
	  .max = limit, .v1 = { { "blkio.throttle." file1, NULL, 0, limit } },                     \
	  .v2 = { { "io.max", key2, 0, limit } } }

const struct vm_tunable vm_tunables[] = {
	{ "cpu_shares", "cputune/shares", VM_TUNE_SHARES, VM_TUNE_IN_MAIN, VM_CGROUP_CPU,
	  .min = SHARES_MIN, .max = SHARES_MAX, .v1 = { { "cpu.shares", NULL, SHARES_MIN, SHARES_MAX } },
	  .v2 = { { "cpu.weight", NULL, 1, 10000 } } },
	{ "vcpu_period", "cputune/period", VM_TUNE_PERIOD, VM_TUNE_IN_VCPUS, VM_CGROUP_CPU,
	  .min = 1000, .max = 1000000,
	  .v1 = { { "cpu.cfs_period_us", NULL, PERIOD } }, .v2 = { { "cpu.max", "period", PERIOD } } },
	{ "vcpu_quota", "cputune/quota", VM_TUNE_QUOTA, VM_TUNE_IN_VCPUS, VM_CGROUP_CPU,
	  .min = 1000, .max = UINT64_C(17592186044415),
	  .v1 = { { "cpu.cfs_quota_us", NULL, QUOTA } }, .v2 = { { "cpu.max", "quota", QUOTA } } },
	BANDWIDTH("emulator", VM_TUNE_IN_EMULATOR),
	BANDWIDTH("iothread", VM_TUNE_IN_IOTHREADS),
	BANDWIDTH("global", VM_TUNE_IN_MAIN),
	MEMORY("hard_limit", VM_TUNE_BYTES, "memory.limit_in_bytes", "memory.max"),
	MEMORY("soft_limit", VM_TUNE_BYTES, "memory.soft_limit_in_bytes", "memory.high"),
	MEMORY("swap_hard_limit", VM_TUNE_SWAP, "memory.memsw.limit_in_bytes", "memory.swap.max"),
	{ "weight", "blkiotune/weight", VM_TUNE_WEIGHT, VM_TUNE_IN_QEMU, VM_CGROUP_IO,
	  .min = 1, .max = 10000,
	  .v1 = { { "blkio.bfq.weight", NULL, 1, 1000 }, { "blkio.weight", NULL, 10, 1000 } },
	  .v2 = { { "io.bfq.weight", NULL, 1, 1000 }, { "io.weight", NULL, 1, 10000 } } },
	{ "device_weight", "weight", VM_TUNE_WEIGHT, VM_TUNE_IN_QEMU, VM_CGROUP_IO, .per_device = true,
	  .min = 1, .max = 10000,
	  .v1 = { { "blkio.bfq.weight_device", NULL, 1, 1000 },
		  { "blkio.weight_device", NULL, 10, 1000 } },
	  .v2 = { { "io.bfq.weight", NULL, 1, 1000 }, { "io.weight", NULL, 1, 10000 } } },
	RATE("read_iops_sec", "read_iops_device", "riops", UINT32_MAX),
	RATE("write_iops_sec", "write_iops_device", "wiops", UINT32_MAX),
	RATE("read_bytes_sec", "read_bps_device", "rbps", UINT64_MAX),
	RATE("write_bytes_sec", "write_bps_device", "wbps", UINT64_MAX),
	{ "numa_mode", "numatune/memory/@mode", VM_TUNE_WORD, VM_TUNE_IN_DOCUMENT,
	  VM_CGROUP_CONTROLLERS, .per_device = false },
	{ "numa_nodeset", "numatune/memory/@nodeset", VM_TUNE_NODES, VM_TUNE_IN_QEMU, VM_CGROUP_CPUSET,
	  .v1 = { { "cpuset.mems", NULL, 0, 0 } }, .v2 = { { "cpuset.mems", NULL, 0, 0 } } },
	{ .key = NULL },
};
/* clang-format on */

static bool same_key(const char *key, const char *typed, size_t len)
{
	size_t i;

	for (i = 0; i < len && key[i]; i++)
		if (key[i] != typed[i] && !(key[i] == '_' && typed[i] == '-'))
			return false;
	return i == len && key[i] == '\0';
}

const struct vm_tunable *vm_tunable_find(const char *key, size_t len)
{
	for (const struct vm_tunable *t = vm_tunables; t->key; t++)
		if (same_key(t->key, key, len))
			return t;
	return NULL;
}

void vm_tune_value_free(struct vm_tune_value *v)
{
	free(v->text);
	*v = VM_TUNE_VALUE_INIT;
}

/* ---- text ---- */

/* By number as virsh has them too. Source: libvirt, virDomainNumatuneMemMode. */
static const char *const numa_modes[] = { "strict", "preferred", "interleave", "restrictive" };

static int parse_word(const char *text, char **ret, struct vm_err *err)
{
	for (size_t i = 0; i < sizeof(numa_modes) / sizeof(*numa_modes); i++)
		if (strcmp(text, numa_modes[i]) == 0 ||
		    (text[0] == (char)('0' + i) && text[1] == '\0')) {
			*ret = vm_xstrdup(numa_modes[i]);
			return 0;
		}
	return vm_err_set(err, VM_USAGE,
			  "numa_mode is strict, preferred, interleave or restrictive, not '%.100s'", text);
}

/* Digits, commas, dashes and ^: the kernel or the document's reader says the rest. */
static int parse_nodes(const char *text, char **ret, struct vm_err *err)
{
	if (!*text || strlen(text) > 4096 || text[strspn(text, "0123456789,-^")])
		return vm_err_set(err, VM_USAGE, "'%.100s' is no list of nodes such as 0-1,3", text);
	*ret = vm_xstrdup(text);
	return 0;
}

/* Of a weight of one device: none of its own. */
static bool may_be_unlimited(const struct vm_tunable *t)
{
	return t->kind == VM_TUNE_QUOTA || t->kind == VM_TUNE_BYTES || t->kind == VM_TUNE_SWAP ||
	       t->kind == VM_TUNE_RATE || (t->kind == VM_TUNE_WEIGHT && t->per_device);
}

static int parse_number(const struct vm_tunable *t, const char *text, uint64_t *ret,
			struct vm_err *err)
{
	struct vm_err why = VM_ERR_INIT;

	if (t->kind == VM_TUNE_BYTES || t->kind == VM_TUNE_SWAP ||
	    (t->kind == VM_TUNE_RATE && t->max == UINT64_MAX &&
	     text[strspn(text, "0123456789")] != '\0')) {
		if (vm_parse_size(text, ret, &why) < 0)
			return vm_err_set(err, VM_USAGE, "%s: '%.100s' is no size", t->key, text);
		return 0;
	}
	if (vm_parse_u64(text, 0, UINT64_MAX, ret, &why) < 0)
		return vm_err_set(err, VM_USAGE, "%s: '%.100s' is no number%s", t->key, text,
				  may_be_unlimited(t) ? " nor \"max\"" : "");
	return 0;
}

int vm_tune_value_parse(const struct vm_tunable *t, const char *text, struct vm_tune_value *ret,
			struct vm_err *err)
{
	struct vm_tune_value v = VM_TUNE_VALUE_INIT;

	if (t->kind == VM_TUNE_WORD || t->kind == VM_TUNE_NODES) {
		if ((t->kind == VM_TUNE_WORD ? parse_word : parse_nodes)(text, &v.text, err) < 0)
			return -1;
		*ret = v;
		return 0;
	}
	if (may_be_unlimited(t) && (strcmp(text, "max") == 0 || strcmp(text, "-1") == 0)) {
		v.unlimited = true;
		*ret = v;
		return 0;
	}
	if (parse_number(t, text, &v.n, err) < 0)
		return -1;
	/* as virsh has it */
	if (t->per_device && v.n == 0) {
		v.unlimited = true;
		*ret = v;
		return 0;
	}
	if (v.n < t->min || v.n > t->max) {
		vm_err_set(err, VM_BAD_INPUT, "%s: %s is out of range: %" PRIu64 " to %" PRIu64, t->key,
			   text, t->min, t->max);
		return may_be_unlimited(t) ? vm_err_hint(err, "\"max\" is no limit") : -1;
	}
	if ((t->kind == VM_TUNE_BYTES || t->kind == VM_TUNE_SWAP) && v.n >= t->v1[0].max)
		v = (struct vm_tune_value){ .unlimited = true };
	*ret = v;
	return 0;
}

char *vm_tune_value_text(const struct vm_tunable *t, const struct vm_tune_value *v)
{
	if (v->text)
		return vm_xstrdup(v->text);
	if (v->unlimited)
		return vm_xstrdup("max");
	if ((t->kind == VM_TUNE_BYTES || t->kind == VM_TUNE_SWAP)) {
		if (v->n % 1024 == 0)
			return vm_xasprintf("%" PRIu64 "KiB", v->n / 1024);
		return vm_xasprintf("%" PRIu64 "b", v->n);
	}
	return vm_xasprintf("%" PRIu64, v->n);
}

/* ---- conversion ---- */

/* Source: systemd and crun convert the same way: both ends of the ranges meet. */
uint64_t vm_tune_shares_to_weight(uint64_t shares)
{
	if (shares <= SHARES_MIN)
		return 1;
	if (shares >= SHARES_MAX)
		return 10000;
	return 1 + (shares - SHARES_MIN) * 9999 / (SHARES_MAX - SHARES_MIN);
}

uint64_t vm_tune_weight_to_shares(uint64_t weight)
{
	if (weight <= 1)
		return SHARES_MIN;
	if (weight >= 10000)
		return SHARES_MAX;
	/* rounded up, so that what was read and is written again changes nothing */
	return SHARES_MIN + ((weight - 1) * (SHARES_MAX - SHARES_MIN) + 9998) / 9999;
}
