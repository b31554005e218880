/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tune.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>

#include "domain.h"
#include "rows.h"

const char *const vm_vcpu_placement_words[] = {"", "static", "auto", NULL};

/* ---- cputune ---- */

const char *const vm_sched_words[] = {"", "batch", "idle", "fifo", "rr", NULL};
/* Source: sched_get_priority_max(2): 1 to 99. */
static const struct mt_range priority_range = {.min = 1, .max = 99};
static const struct mt_range shares_range = {.max = 262144};
static const struct mt_range period_range = {.max = VM_CFS_PERIOD_MAX};
static const struct mt_range quota_range = {.min = (uint64_t)INT64_MIN, .max = VM_CFS_QUOTA_MAX};

#define PIN_ROWS(key)                                                                              \
	MT_ROW(struct vm_vcpu_pin, key, id, 0, MT_U64, .flags = MT_REQUIRED | MT_KEY,              \
	       .arg = &vm_u32_range),                                                              \
	    MT_ROW(struct vm_vcpu_pin, "@cpuset", cpus, 1, MT_CPUSET,                              \
		   .flags = MT_REQUIRED | MT_HOT)
static const struct mt_row vcpupin_rows[] = {PIN_ROWS("@vcpu")};
static const struct mt_row iothreadpin_rows[] = {PIN_ROWS("@iothread")};
static const struct mt_type vcpupin_type = {
    .elem = "vcpupin",
    .size = sizeof(struct vm_vcpu_pin),
    .rows = vcpupin_rows,
    .n = VM_COUNT(vcpupin_rows),
};
static const struct mt_type iothreadpin_type = {
    .elem = "iothreadpin",
    .size = sizeof(struct vm_vcpu_pin),
    .rows = iothreadpin_rows,
    .n = VM_COUNT(iothreadpin_rows),
};

#define SCHED_ROWS                                                                                 \
	MT_ROW(struct vm_thread_sched, "@scheduler", scheduler, 1, MT_ENUM, .flags = MT_REQUIRED,  \
	       .arg = vm_sched_words),                                                             \
	    MT_ROW(struct vm_thread_sched, "@priority", priority, 2, MT_U64,                       \
		   .arg = &priority_range)
static const struct mt_row vcpusched_rows[] = {
    MT_ROW(struct vm_thread_sched, "@vcpus", ids, 0, MT_CPUSET, .flags = MT_REQUIRED | MT_KEY),
    SCHED_ROWS,
};
static const struct mt_row iothreadsched_rows[] = {
    MT_ROW(struct vm_thread_sched, "@iothreads", ids, 0, MT_CPUSET, .flags = MT_REQUIRED | MT_KEY),
    SCHED_ROWS,
};
static const struct mt_row emulatorsched_rows[] = {SCHED_ROWS};

static int check_sched(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_thread_sched *s = obj;
	bool realtime = s->scheduler == VM_SCHED_FIFO || s->scheduler == VM_SCHED_RR;

	if (realtime && !s->priority)
		return mt_error(ctx, s, "@scheduler", VM_BAD_INPUT, err,
				"scheduler '%s' needs a priority", vm_sched_words[s->scheduler]);
	if (!realtime && s->priority)
		return mt_error(ctx, s, "@priority", VM_BAD_INPUT, err,
				"a priority is only for the schedulers fifo and rr");
	return 0;
}
#define SCHED_TYPE(word)                                                                           \
	static const struct mt_type word##_type = {                                                \
	    .elem = #word,                                                                         \
	    .size = sizeof(struct vm_thread_sched),                                                \
	    .rows = word##_rows,                                                                   \
	    .n = VM_COUNT(word##_rows),                                                            \
	    .check = check_sched,                                                                  \
	}
SCHED_TYPE(vcpusched);
SCHED_TYPE(iothreadsched);
SCHED_TYPE(emulatorsched);

#define C(xml, member, bit, kind, ...)                                                             \
	MT_ROW(struct vm_cputune, xml, member, VM_CPUTUNE_BIT_##bit, kind, __VA_ARGS__)
#define C_PERIOD(name, bit)                                                                        \
	C(#name "/#text", name, bit, MT_U64, .flags = MT_HOT, .arg = &period_range)
#define C_QUOTA(name, bit)                                                                         \
	C(#name "/#text", name, bit, MT_I64, .flags = MT_HOT, .arg = &quota_range)
static const struct mt_row cputune_rows[] = {
    C("shares/#text", shares, SHARES, MT_U64, .flags = MT_HOT, .arg = &shares_range),
    C_PERIOD(period, PERIOD),
    C_QUOTA(quota, QUOTA),
    C_PERIOD(global_period, GLOBAL_PERIOD),
    C_QUOTA(global_quota, GLOBAL_QUOTA),
    C_PERIOD(emulator_period, EMULATOR_PERIOD),
    C_QUOTA(emulator_quota, EMULATOR_QUOTA),
    C_PERIOD(iothread_period, IOTHREAD_PERIOD),
    C_QUOTA(iothread_quota, IOTHREAD_QUOTA),
    C("vcpupin", vcpupins, VCPUPINS, MT_MANY, .arg = &vcpupin_type),
    C("emulatorpin/@cpuset", emulatorpin, EMULATORPIN, MT_CPUSET, .flags = MT_HOT),
    C("iothreadpin", iothreadpins, IOTHREADPINS, MT_MANY, .arg = &iothreadpin_type),
    C("vcpusched", vcpuscheds, VCPUSCHEDS, MT_MANY, .arg = &vcpusched_type),
    C("iothreadsched", iothreadscheds, IOTHREADSCHEDS, MT_MANY, .arg = &iothreadsched_type),
    C("emulatorsched", emulatorsched, EMULATORSCHED, MT_ONE, .arg = &emulatorsched_type),
};

static int check_bandwidth(const struct vm_cputune *c, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct {
		const char *period_xml, *quota_xml;
		uint64_t period;
		int64_t quota;
	} of[] = {
	    {"period", "quota", c->period, c->quota},
	    {"global_period", "global_quota", c->global_period, c->global_quota},
	    {"emulator_period", "emulator_quota", c->emulator_period, c->emulator_quota},
	    {"iothread_period", "iothread_quota", c->iothread_period, c->iothread_quota},
	};

	for (size_t i = 0; i < VM_COUNT(of); i++) {
		if (of[i].period && of[i].period < VM_CFS_PERIOD_MIN)
			return mt_error(ctx, c, of[i].period_xml, VM_BAD_INPUT, err,
					"a period is %" PRIu64 " to %" PRIu64
					" microseconds, not %" PRIu64,
					VM_CFS_PERIOD_MIN, VM_CFS_PERIOD_MAX, of[i].period);
		if (of[i].quota > 0 && of[i].quota < VM_CFS_QUOTA_MIN)
			return mt_error(ctx, c, of[i].quota_xml, VM_BAD_INPUT, err,
					"a quota is %" PRId64 " to %" PRId64
					" microseconds, or negative for no limit, not %" PRId64,
					VM_CFS_QUOTA_MIN, VM_CFS_QUOTA_MAX, of[i].quota);
	}
	if (c->shares == 1)
		return mt_error(ctx, c, "shares", VM_BAD_INPUT, err, "shares are 2 to 262144");
	return 0;
}

static int check_pins(const struct mt_list *pins, const char *what, const struct mt_ctx *ctx,
		      struct vm_err *err)
{
	for (uint32_t i = 1; i < pins->n; i++) {
		const struct vm_vcpu_pin *a = pins->v[i];

		for (uint32_t j = 0; j < i; j++)
			if (((const struct vm_vcpu_pin *)pins->v[j])->id == a->id)
				return mt_error(ctx, a, NULL, VM_BAD_INPUT, err,
						"%s %" PRIu64 " is pinned twice", what, a->id);
	}
	return 0;
}

static int check_scheds(const struct mt_list *scheds, const char *what, const struct mt_ctx *ctx,
			struct vm_err *err)
{
	for (uint32_t i = 1; i < scheds->n; i++) {
		const struct vm_thread_sched *a = scheds->v[i];

		for (uint32_t j = 0; j < i; j++) {
			const struct vm_thread_sched *b = scheds->v[j];

			for (uint32_t k = 0; k < a->ids.nbits; k++)
				if (vm_cpuset_has(&a->ids, k) && vm_cpuset_has(&b->ids, k))
					return mt_error(ctx, a, NULL, VM_BAD_INPUT, err,
							"%s %" PRIu32 " has two schedulers", what,
							k);
		}
	}
	return 0;
}

static int check_cputune(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_cputune *c = obj;

	if (check_bandwidth(c, ctx, err) < 0 || check_pins(&c->vcpupins, "vCPU", ctx, err) < 0 ||
	    check_pins(&c->iothreadpins, "I/O thread", ctx, err) < 0 ||
	    check_scheds(&c->vcpuscheds, "vCPU", ctx, err) < 0)
		return -1;
	return check_scheds(&c->iothreadscheds, "I/O thread", ctx, err);
}
const struct mt_type vm_cputune_type = {
    .elem = "cputune",
    .size = sizeof(struct vm_cputune),
    .rows = cputune_rows,
    .n = VM_COUNT(cputune_rows),
    .check = check_cputune,
};

/* ---- memtune ---- */

static const struct mt_range kib_range = {.max = UINT64_MAX, .unit = "KiB"};
#define M(xml, member, bit)                                                                        \
	MT_ROW(struct vm_memtune, xml, member, VM_MEMTUNE_BIT_##bit, MT_SIZE, .flags = MT_HOT,     \
	       .arg = &kib_range)
static const struct mt_row memtune_rows[] = {
    M("hard_limit/#text", hard, HARD),
    M("soft_limit/#text", soft, SOFT),
    M("swap_hard_limit/#text", swap, SWAP),
};

static int check_memtune(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_memtune *m = obj;
	bool hard = mt_is_set(&m->obj, VM_MEMTUNE_BIT_HARD) && m->hard < VM_MEMTUNE_UNLIMITED;

	if (mt_is_set(&m->obj, VM_MEMTUNE_BIT_HARD) && !m->hard)
		return mt_error(ctx, m, "hard_limit", VM_BAD_INPUT, err,
				"no guest runs in a hard limit of 0");
	if (!mt_is_set(&m->obj, VM_MEMTUNE_BIT_SWAP) || m->swap >= VM_MEMTUNE_UNLIMITED)
		return 0;
	if (!hard || m->hard > m->swap)
		return mt_error(ctx, m, "swap_hard_limit", VM_BAD_INPUT, err,
				"the limit of memory and swap together, %" PRIu64
				" KiB, is less than %s",
				m->swap / 1024,
				hard ? "that of memory alone" : "an unlimited hard_limit");
	return 0;
}
const struct mt_type vm_memtune_type = {
    .elem = "memtune",
    .size = sizeof(struct vm_memtune),
    .rows = memtune_rows,
    .n = VM_COUNT(memtune_rows),
    .check = check_memtune,
};

/* ---- blkiotune ---- */

static const struct mt_range weight_range = {.max = 10000};
#define B(xml, member, bit, kind, ...)                                                             \
	MT_ROW(struct vm_blkio_device, xml, member, VM_BLKIO_DEVICE_BIT_##bit, kind, __VA_ARGS__)
static const struct mt_row blkio_device_rows[] = {
    B("path/#text", path, PATH, MT_PATH, .flags = MT_REQUIRED | MT_KEY),
    B("weight/#text", weight, WEIGHT, MT_U64, .flags = MT_HOT, .arg = &weight_range),
    B("read_iops_sec/#text", read_iops, READ_IOPS, MT_U64, .flags = MT_HOT, .arg = &vm_u32_range),
    B("write_iops_sec/#text", write_iops, WRITE_IOPS, MT_U64, .flags = MT_HOT,
      .arg = &vm_u32_range),
    B("read_bytes_sec/#text", read_bytes, READ_BYTES, MT_U64, .flags = MT_HOT),
    B("write_bytes_sec/#text", write_bytes, WRITE_BYTES, MT_U64, .flags = MT_HOT),
};
const struct mt_type vm_blkio_device_type = {
    .elem = "device",
    .size = sizeof(struct vm_blkio_device),
    .rows = blkio_device_rows,
    .n = VM_COUNT(blkio_device_rows),
};
static const struct mt_row blkiotune_rows[] = {
    MT_ROW(struct vm_blkiotune, "weight/#text", weight, VM_BLKIOTUNE_BIT_WEIGHT, MT_U64,
	   .flags = MT_HOT, .arg = &weight_range),
    MT_ROW(struct vm_blkiotune, "device", devices, VM_BLKIOTUNE_BIT_DEVICES, MT_MANY,
	   .arg = &vm_blkio_device_type),
};

static int check_blkiotune(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_blkiotune *b = obj;

	for (uint32_t i = 1; i < b->devices.n; i++) {
		const struct vm_blkio_device *dev = b->devices.v[i];

		for (uint32_t j = 0; j < i; j++)
			if (strcmp(((const struct vm_blkio_device *)b->devices.v[j])->path,
				   dev->path) == 0)
				return mt_error(ctx, dev, "path", VM_BAD_INPUT, err,
						"%s is limited twice", dev->path);
	}
	return 0;
}
const struct mt_type vm_blkiotune_type = {
    .elem = "blkiotune",
    .size = sizeof(struct vm_blkiotune),
    .rows = blkiotune_rows,
    .n = VM_COUNT(blkiotune_rows),
    .check = check_blkiotune,
};

/* ---- numatune ---- */

const char *const vm_numa_mode_words[] = {
    "", "strict", "preferred", "interleave", "restrictive", NULL,
};
static const struct mt_row memnode_rows[] = {
    MT_ROW(struct vm_memnode, "@cellid", cell, 0, MT_U64, .flags = MT_REQUIRED | MT_KEY,
	   .arg = &vm_u32_range),
    MT_ROW(struct vm_memnode, "@mode", mode, 1, MT_ENUM, .arg = vm_numa_mode_words),
    MT_ROW(struct vm_memnode, "@nodeset", nodes, 2, MT_CPUSET, .flags = MT_REQUIRED),
};
const struct mt_type vm_memnode_type = {
    .elem = "memnode",
    .size = sizeof(struct vm_memnode),
    .rows = memnode_rows,
    .n = VM_COUNT(memnode_rows),
};
static const struct mt_row numatune_rows[] = {
    MT_ROW(struct vm_numatune, "memory/@mode", mode, VM_NUMATUNE_BIT_MODE, MT_ENUM,
	   .arg = vm_numa_mode_words),
    MT_ROW(struct vm_numatune, "memory/@placement", placement, VM_NUMATUNE_BIT_PLACEMENT, MT_ENUM,
	   .arg = vm_vcpu_placement_words),
    MT_ROW(struct vm_numatune, "memory/@nodeset", nodes, VM_NUMATUNE_BIT_NODES, MT_CPUSET,
	   .flags = MT_HOT),
    MT_ROW(struct vm_numatune, "memnode", memnodes, VM_NUMATUNE_BIT_MEMNODES, MT_MANY,
	   .arg = &vm_memnode_type),
};

static int check_numatune(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_numatune *n = obj;

	for (uint32_t i = 0; i < n->memnodes.n; i++) {
		const struct vm_memnode *a = n->memnodes.v[i];

		if ((a->mode == VM_NUMA_RESTRICTIVE) != (n->mode == VM_NUMA_RESTRICTIVE))
			return mt_error(ctx, a, "@mode", VM_BAD_INPUT, err,
					"'restrictive' is for the guest's memory and all its "
					"cells, or for none");
		for (uint32_t j = 0; j < i; j++)
			if (((const struct vm_memnode *)n->memnodes.v[j])->cell == a->cell)
				return mt_error(ctx, a, "@cellid", VM_BAD_INPUT, err,
						"cell %" PRIu64 " is placed twice", a->cell);
	}
	return 0;
}
const struct mt_type vm_numatune_type = {
    .elem = "numatune",
    .size = sizeof(struct vm_numatune),
    .rows = numatune_rows,
    .n = VM_COUNT(numatune_rows),
    .check = check_numatune,
};

/* ---- the guest's own nodes ---- */

/* Source: qapi/machine.json, NumaDistOptions: 10 is local, 255 unreachable. */
static const struct mt_range distance_range = {.min = 10, .max = 255};
static const struct mt_range cell_range = {.max = 127}; /* Source: QEMU 7.2, MAX_NODES */
static const struct mt_row sibling_rows[] = {
    MT_ROW(struct vm_numa_sibling, "@id", id, 0, MT_U64, .flags = MT_REQUIRED | MT_KEY,
	   .arg = &cell_range),
    MT_ROW(struct vm_numa_sibling, "@value", distance, 1, MT_U64, .flags = MT_REQUIRED,
	   .arg = &distance_range),
};
static const struct mt_type sibling_type = {
    .elem = "sibling",
    .size = sizeof(struct vm_numa_sibling),
    .rows = sibling_rows,
    .n = VM_COUNT(sibling_rows),
};
#define L(xml, member, bit, kind, ...)                                                             \
	MT_ROW(struct vm_numa_cell, xml, member, VM_NUMA_CELL_BIT_##bit, kind, __VA_ARGS__)
static const struct mt_row cell_rows[] = {
    L("@id", id, ID, MT_U64, .flags = MT_KEY, .arg = &cell_range),
    L("@cpus", cpus, CPUS, MT_CPUSET),
    L("@memory", memory, MEMORY, MT_SIZE, .flags = MT_REQUIRED, .arg = &kib_range),
    L("@memAccess", access, ACCESS, MT_ENUM, .arg = vm_memory_access_words),
    L("@discard", discard, DISCARD, MT_ENUM, .arg = vm_yes_no_words),
    L("distances/sibling", siblings, SIBLINGS, MT_MANY, .arg = &sibling_type),
};
const struct mt_type vm_numa_cell_type = {
    .elem = "cell",
    .size = sizeof(struct vm_numa_cell),
    .rows = cell_rows,
    .n = VM_COUNT(cell_rows),
};

uint64_t vm_numa_cell_id(const struct mt_list *cells, uint32_t index)
{
	const struct vm_numa_cell *c = cells->v[index];

	return mt_is_set(&c->obj, VM_NUMA_CELL_BIT_ID) ? c->id : index;
}

const struct mt_list *vm_domain_cells(const struct vm_domain *d)
{
	return d->cpu && d->cpu->cells.n ? &d->cpu->cells : NULL;
}

const struct vm_numa_cell *vm_domain_cell(const struct vm_domain *d, uint64_t id)
{
	const struct mt_list *cells = vm_domain_cells(d);

	for (uint32_t i = 0; cells && i < cells->n; i++)
		if (vm_numa_cell_id(cells, i) == id)
			return cells->v[i];
	return NULL;
}

#define MIB (UINT64_C(1) << 20)

uint64_t vm_domain_cells_memory(const struct vm_domain *d)
{
	const struct mt_list *cells = vm_domain_cells(d);
	uint64_t sum = 0;

	for (uint32_t i = 0; cells && i < cells->n; i++) {
		uint64_t bytes = ((const struct vm_numa_cell *)cells->v[i])->memory;

		/* what is beyond all reason is refused by check_cells() */
		if (bytes > UINT64_MAX / 4096)
			return UINT64_MAX / 4;
		sum += (bytes + MIB - 1) / MIB * MIB;
	}
	return sum;
}

bool vm_domain_has_distances(const struct vm_domain *d)
{
	const struct mt_list *cells = vm_domain_cells(d);

	for (uint32_t i = 0; cells && i < cells->n; i++)
		if (((const struct vm_numa_cell *)cells->v[i])->siblings.n)
			return true;
	return false;
}

static uint64_t given_distance(const struct vm_domain *d, uint64_t from, uint64_t to)
{
	const struct vm_numa_cell *c = vm_domain_cell(d, from);

	for (uint32_t i = 0; c && i < c->siblings.n; i++) {
		const struct vm_numa_sibling *s = c->siblings.v[i];

		if (s->id == to)
			return s->distance;
	}
	return 0;
}

uint64_t vm_domain_distance(const struct vm_domain *d, uint64_t from, uint64_t to)
{
	uint64_t there = given_distance(d, from, to), back = given_distance(d, to, from);

	return there ? there : back ? back : from == to ? 10 : 20;
}

static int check_cells(const struct vm_domain *d, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct mt_list *cells = vm_domain_cells(d);

	for (uint32_t i = 0; cells && i < cells->n; i++) {
		const struct vm_numa_cell *c = cells->v[i];

		if (vm_numa_cell_id(cells, i) >= cells->n)
			return mt_error(ctx, c, "@id", VM_BAD_INPUT, err,
					"cells are numbered from 0 on, without a gap");
		if (!c->memory || c->memory > UINT64_MAX / 4096)
			return mt_error(ctx, c, "@memory", VM_BAD_INPUT, err,
					"a cell's memory is neither nothing nor this much");
		if (c->cpus.nbits > d->vcpus)
			return mt_error(ctx, c, "@cpus", VM_BAD_INPUT, err,
					"there is no vCPU %" PRIu32, c->cpus.nbits - 1);
		for (uint32_t j = 0; j < i; j++) {
			const struct vm_numa_cell *other = cells->v[j];

			if (vm_numa_cell_id(cells, i) == vm_numa_cell_id(cells, j))
				return mt_error(ctx, c, "@id", VM_BAD_INPUT, err,
						"there are two cells %" PRIu64,
						vm_numa_cell_id(cells, i));
			for (uint32_t k = 0; k < c->cpus.nbits; k++)
				if (vm_cpuset_has(&c->cpus, k) && vm_cpuset_has(&other->cpus, k))
					return mt_error(ctx, c, "@cpus", VM_BAD_INPUT, err,
							"vCPU %" PRIu32 " is in two cells", k);
		}
		for (uint32_t j = 0; j < c->siblings.n; j++) {
			const struct vm_numa_sibling *s = c->siblings.v[j];

			if (s->id >= cells->n)
				return mt_error(ctx, s, "@id", VM_BAD_INPUT, err,
						"there is no cell %" PRIu64, s->id);
			if ((s->id == vm_numa_cell_id(cells, i)) != (s->distance == 10))
				return mt_error(ctx, s, "@value", VM_BAD_INPUT, err,
						"10 is the distance of a cell to itself, and of "
						"no other");
		}
	}
	return 0;
}

/* ---- resource ---- */

static const struct mt_row resource_rows[] = {
    MT_ROW(struct vm_resource, "partition/#text", partition, VM_RESOURCE_BIT_PARTITION, MT_PATH),
    MT_ROW(struct vm_resource, "fibrechannel/@appid", appid, VM_RESOURCE_BIT_APPID, MT_STR),
};

/* Source: the kernel's FC_APPID_LEN (include/uapi/scsi/fc/fc_els.h): 129 with its end. */
#define APPID_MAX 128u

static int check_resource(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_resource *r = obj;

	if (r->partition) {
		const char *p = r->partition;

		if (strstr(p, "//") || strstr(p, "/../") || strstr(p, "/./") || strchr(p, '\n') ||
		    strlen(p) > 1024 || p[strlen(p) - 1] == '/' ||
		    (strlen(p) > 2 && strcmp(p + strlen(p) - 3, "/..") == 0))
			return mt_error(ctx, r, "partition", VM_BAD_INPUT, err,
					"'%.200s' is no partition: one reads /machine/NAME", p);
	}
	if (!r->appid)
		return 0;
	for (const char *p = r->appid; *p; p++)
		if (*p < ' ' || *p > '~')
			return mt_error(ctx, r, "fibrechannel", VM_BAD_INPUT, err,
					"an appid is printable ASCII");
	if (!*r->appid || strlen(r->appid) > APPID_MAX)
		return mt_error(ctx, r, "fibrechannel", VM_BAD_INPUT, err,
				"an appid has 1 to %u characters", APPID_MAX);
	return 0;
}
const struct mt_type vm_resource_type = {
    .elem = "resource",
    .size = sizeof(struct vm_resource),
    .rows = resource_rows,
    .n = VM_COUNT(resource_rows),
    .check = check_resource,
};

/* ---- I/O threads ---- */

/* Source: qapi/qom.json, EventLoopBaseProperties: 0 to INT_MAX. */
#define POOL_ROWS(t)                                                                               \
	MT_ROW(t, "@thread_pool_min", pool_min, VM_IOTHREAD_BIT_POOL_MIN, MT_I64,                  \
	       .arg = &vm_int_range),                                                              \
	    MT_ROW(t, "@thread_pool_max", pool_max, VM_IOTHREAD_BIT_POOL_MAX, MT_I64,              \
		   .arg = &vm_int_range)
static const struct mt_row iothread_rows[] = {
    MT_ROW(struct vm_iothread, "@id", id, VM_IOTHREAD_BIT_ID, MT_U64,
	   .flags = MT_REQUIRED | MT_KEY, .arg = &vm_positive_range),
    POOL_ROWS(struct vm_iothread),
};
static const struct mt_row main_loop_rows[] = {POOL_ROWS(struct vm_main_loop)};

static int check_pool(const void *obj, const struct mt_ctx *ctx, const struct mt_obj *o, int64_t min,
		      int64_t max, struct vm_err *err)
{
	if (mt_is_set(o, VM_IOTHREAD_BIT_POOL_MAX) && (max == 0 || max < min))
		return mt_error(ctx, obj, "@thread_pool_max", VM_BAD_INPUT, err,
				"at most %" PRId64 " threads in the pool, at least %" PRId64, max,
				min);
	return 0;
}

static int check_iothread(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_iothread *t = obj;

	return check_pool(t, ctx, &t->obj, t->pool_min, t->pool_max, err);
}

static int check_main_loop(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_main_loop *t = obj;

	return check_pool(t, ctx, &t->obj, t->pool_min, t->pool_max, err);
}
const struct mt_type vm_iothread_type = {
    .elem = "iothread",
    .size = sizeof(struct vm_iothread),
    .rows = iothread_rows,
    .n = VM_COUNT(iothread_rows),
    .check = check_iothread,
};
const struct mt_type vm_main_loop_type = {
    .elem = "defaultiothread",
    .size = sizeof(struct vm_main_loop),
    .rows = main_loop_rows,
    .n = VM_COUNT(main_loop_rows),
    .check = check_main_loop,
};

const struct vm_iothread *vm_domain_iothread(const struct vm_domain *d, uint64_t id)
{
	for (uint32_t i = 0; i < d->iothreadids.n; i++) {
		const struct vm_iothread *t = d->iothreadids.v[i];

		if (t->id == id)
			return t;
	}
	return NULL;
}

uint32_t vm_domain_iothreads(const struct vm_domain *d, uint64_t **ret)
{
	uint32_t given = d->iothreadids.n;
	uint32_t n = d->iothreads > given ? (uint32_t)d->iothreads : given;
	uint64_t *ids = vm_xcalloc(n + 1, sizeof(*ids)), next = 1;

	for (uint32_t i = 0; i < given; i++)
		ids[i] = ((const struct vm_iothread *)d->iothreadids.v[i])->id;
	for (uint32_t i = given; i < n; next++)
		if (!vm_domain_iothread(d, next))
			ids[i++] = next;
	*ret = ids;
	return n;
}

bool vm_domain_has_iothread(const struct vm_domain *d, uint64_t id)
{
	uint64_t *ids;
	uint32_t n;
	bool found = false;

	/* The common case, without the list. */
	if (d->iothreadids.n == 0)
		return id >= 1 && id <= d->iothreads;
	n = vm_domain_iothreads(d, &ids);
	for (uint32_t i = 0; i < n && !found; i++)
		found = ids[i] == id;
	free(ids);
	return found;
}

/* ---- memoryBacking ---- */

const char *const vm_memory_source_words[] = {"", "anonymous", "!file", "memfd", NULL};
const char *const vm_memory_access_words[] = {"", "shared", "private", NULL};
const char *const vm_memory_allocation_words[] = {"", "immediate", "ondemand", NULL};
static const struct mt_range threads_range = {.min = 1, .max = 65535};
static const struct mt_row huge_page_rows[] = {
    MT_ROW(struct vm_huge_page, "@size", size, 0, MT_SIZE, .flags = MT_REQUIRED, .arg = &kib_range),
    MT_ROW(struct vm_huge_page, "@nodeset", nodes, 1, MT_CPUSET),
};

static int check_huge_page(const void *obj, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_huge_page *p = obj;

	if (p->size < 4096 || (p->size & (p->size - 1)))
		return mt_error(ctx, p, "@size", VM_BAD_INPUT, err,
				"no page has %" PRIu64 " bytes", p->size);
	return 0;
}
static const struct mt_type huge_page_type = {
    .elem = "page",
    .size = sizeof(struct vm_huge_page),
    .rows = huge_page_rows,
    .n = VM_COUNT(huge_page_rows),
    .check = check_huge_page,
};
#define K(xml, member, bit, kind, ...)                                                             \
	MT_ROW(struct vm_memory_backing, xml, member, VM_MEMORY_BACKING_BIT_##bit, kind,           \
	       __VA_ARGS__)
static const struct mt_row memory_backing_rows[] = {
    K("nosharepages", nosharepages, NOSHAREPAGES, MT_BOOL, .flags = MT_PRESENT),
    K("locked", locked, LOCKED, MT_BOOL, .flags = MT_PRESENT),
    K("source/@type", source, SOURCE, MT_ENUM, .arg = vm_memory_source_words),
    K("access/@mode", access, ACCESS, MT_ENUM, .arg = vm_memory_access_words),
    K("allocation/@mode", allocation, ALLOCATION, MT_ENUM, .arg = vm_memory_allocation_words),
    K("allocation/@threads", threads, THREADS, MT_U64, .arg = &threads_range),
    K("discard", discard, DISCARD, MT_BOOL, .flags = MT_PRESENT),
    K("hugepages", hugepages, HUGEPAGES, MT_BOOL, .flags = MT_PRESENT),
    K("hugepages/page", pages, PAGES, MT_MANY, .arg = &huge_page_type),
};
const struct mt_type vm_memory_backing_type = {
    .elem = "memoryBacking",
    .size = sizeof(struct vm_memory_backing),
    .rows = memory_backing_rows,
    .n = VM_COUNT(memory_backing_rows),
};

bool vm_domain_huge_pages(const struct vm_domain *d, uint64_t cell, uint64_t *ret_size)
{
	const struct vm_memory_backing *b = d->memory_backing;
	const struct vm_huge_page *others = NULL;

	*ret_size = 0;
	if (!b || (!b->hugepages && !b->pages.n))
		return false;
	for (uint32_t i = 0; i < b->pages.n; i++) {
		const struct vm_huge_page *p = b->pages.v[i];

		if (!p->nodes.nbits)
			others = p;
		if (!vm_cpuset_has(&p->nodes, cell))
			continue;
		*ret_size = p->size;
		return true;
	}
	if (others)
		*ret_size = others->size;
	return others || !b->pages.n;
}

/* ---- across ---- */

static int check_pages(const struct vm_domain *d, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_memory_backing *b = d->memory_backing;
	const struct mt_list *cells = vm_domain_cells(d);
	uint32_t n = cells ? cells->n : 1;
	uint64_t size;

	if (b && b->pages.n > 1 && !cells)
		return mt_error(ctx, b->pages.v[1], NULL, VM_BAD_INPUT, err,
				"a guest without NUMA cells has huge pages of one size");
	for (uint32_t i = 0; b && i < b->pages.n; i++) {
		const struct vm_huge_page *p = b->pages.v[i];

		if (p->nodes.nbits > n)
			return mt_error(ctx, p, "@nodeset", VM_BAD_INPUT, err,
					"the guest has no NUMA node %" PRIu32, p->nodes.nbits - 1);
		for (uint32_t j = 0; j < i; j++) {
			const struct vm_huge_page *q = b->pages.v[j];
			bool both = !p->nodes.nbits && !q->nodes.nbits;

			for (uint32_t k = 0; k < n; k++)
				both |= vm_cpuset_has(&p->nodes, k) && vm_cpuset_has(&q->nodes, k);
			if (both)
				return mt_error(ctx, p, NULL, VM_BAD_INPUT, err,
						"a node has pages of one size");
		}
	}
	for (uint32_t i = 0; i < n; i++) {
		const struct vm_numa_cell *c = cells ? vm_domain_cell(d, i) : NULL;
		uint64_t bytes = c ? c->memory : d->memory;

		if (vm_domain_huge_pages(d, i, &size) && size && bytes % size)
			return mt_error(ctx, b, "hugepages", VM_BAD_INPUT, err,
					"memory of %" PRIu64 " KiB is no whole number of pages of %" PRIu64
					" KiB",
					bytes / 1024, size / 1024);
	}
	return 0;
}

static int check_threads(const struct vm_domain *d, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_cputune *c = d->cputune;

	for (uint32_t i = 1; i < d->iothreadids.n; i++) {
		const struct vm_iothread *a = d->iothreadids.v[i];

		if (vm_domain_iothread(d, a->id) != a)
			return mt_error(ctx, a, "@id", VM_BAD_INPUT, err,
					"there are two I/O threads %" PRIu64, a->id);
	}
	if (!c)
		return 0;
	for (uint32_t i = 0; i < c->iothreadpins.n; i++) {
		const struct vm_vcpu_pin *p = c->iothreadpins.v[i];

		if (!vm_domain_has_iothread(d, p->id))
			return mt_error(ctx, p, "@iothread", VM_BAD_INPUT, err,
					"there is no I/O thread %" PRIu64, p->id);
	}
	for (uint32_t i = 0; i < c->iothreadscheds.n; i++) {
		const struct vm_thread_sched *s = c->iothreadscheds.v[i];

		for (uint32_t k = 0; k < s->ids.nbits; k++)
			if (vm_cpuset_has(&s->ids, k) && !vm_domain_has_iothread(d, k))
				return mt_error(ctx, s, "@iothreads", VM_BAD_INPUT, err,
						"there is no I/O thread %" PRIu32, k);
	}
	return 0;
}

bool vm_domain_auto_memory(const struct vm_domain *d)
{
	const struct vm_numatune *n = d->numatune;

	if (n && n->placement != VM_PLACEMENT_ABSENT)
		return n->placement == VM_PLACEMENT_AUTO;
	return d->placement == VM_PLACEMENT_AUTO && (!n || !n->nodes.nbits);
}

bool vm_domain_auto_cpus(const struct vm_domain *d)
{
	const struct vm_cputune *c = d->cputune;

	if (d->placement == VM_PLACEMENT_AUTO)
		return true;
	return d->numatune && d->numatune->placement == VM_PLACEMENT_AUTO && !d->cpuset.nbits &&
	       (!c || (!c->vcpupins.n && !c->iothreadpins.n && !c->emulatorpin.nbits));
}

static int check_numa(const struct vm_domain *d, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_numatune *n = d->numatune;
	bool chosen = vm_domain_auto_memory(d);

	if (!n)
		return 0;
	if ((n->mode || n->placement) && !chosen && !n->nodes.nbits)
		return mt_error(ctx, n, "memory", VM_BAD_INPUT, err, "<memory> needs a nodeset");
	if (chosen && n->memnodes.n)
		return mt_error(ctx, n->memnodes.v[0], NULL, VM_BAD_INPUT, err,
				"a cell cannot have nodes of its own where placement='auto' chooses the guest's");
	for (uint32_t i = 0; i < n->memnodes.n; i++) {
		const struct vm_memnode *m = n->memnodes.v[i];

		if (!vm_domain_cell(d, m->cell))
			return mt_error(ctx, m, "@cellid", VM_BAD_INPUT, err,
					"the guest has no NUMA cell %" PRIu64, m->cell);
	}
	return 0;
}

int vm_tune_check(const struct vm_domain *d, const struct mt_ctx *ctx, struct vm_err *err)
{
	const struct vm_cputune *c = d->cputune;

	if (check_threads(d, ctx, err) < 0 || check_cells(d, ctx, err) < 0 ||
	    check_pages(d, ctx, err) < 0)
		return -1;
	/* A pin of a vCPU beyond the last is for one that may come, and does nothing until then. */
	for (uint32_t i = 0; c && i < c->vcpuscheds.n; i++) {
		const struct vm_thread_sched *s = c->vcpuscheds.v[i];

		if (s->ids.nbits > d->vcpus)
			return mt_error(ctx, s, "@vcpus", VM_BAD_INPUT, err,
					"there is no vCPU %" PRIu32, s->ids.nbits - 1);
	}
	return check_numa(d, ctx, err);
}
