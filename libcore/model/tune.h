/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What a guest may take of its host: cputune, memtune, blkiotune, numatune, resource, iothreads, memoryBacking. */
#include <vm/mt.h>

struct vm_domain;

/* ---- CPU time ---- */

/* Source: libvirt, formatdomain "CPU Tuning"; the kernel has fifo, rr, batch, idle (sched(7)). */
enum vm_sched { VM_SCHED_ABSENT, VM_SCHED_BATCH, VM_SCHED_IDLE, VM_SCHED_FIFO, VM_SCHED_RR };
extern const char *const vm_sched_words[];

struct vm_vcpu_pin {
	struct mt_obj obj;
	uint64_t id; /* vCPU, or I/O thread */
	struct mt_cpuset cpus;
};
struct vm_thread_sched {
	struct mt_obj obj;
	struct mt_cpuset ids; /* vCPUs, or I/O threads; not used for the emulator */
	int scheduler;
	uint64_t priority; /* fifo, rr */
};
/* CPU bandwidth: microseconds; period 0 = absent, quota 0 = absent, negative = no limit. */
#define VM_CFS_PERIOD_MIN UINT64_C(1000)
#define VM_CFS_PERIOD_MAX UINT64_C(1000000)
#define VM_CFS_QUOTA_MIN  INT64_C(1000)
#define VM_CFS_QUOTA_MAX  INT64_C(17592186044415)
struct vm_cputune {
	struct mt_obj obj;
	uint64_t shares; /* 0 = absent */
	uint64_t period, global_period, emulator_period, iothread_period;
	int64_t quota, global_quota, emulator_quota, iothread_quota;
	struct mt_list vcpupins, iothreadpins;	   /* struct vm_vcpu_pin */
	struct mt_cpuset emulatorpin;		   /* nbits 0 = absent */
	struct mt_list vcpuscheds, iothreadscheds; /* struct vm_thread_sched */
	struct vm_thread_sched *emulatorsched;
};
enum vm_cputune_bit {
	VM_CPUTUNE_BIT_SHARES,
	VM_CPUTUNE_BIT_PERIOD,
	VM_CPUTUNE_BIT_QUOTA,
	VM_CPUTUNE_BIT_GLOBAL_PERIOD,
	VM_CPUTUNE_BIT_GLOBAL_QUOTA,
	VM_CPUTUNE_BIT_EMULATOR_PERIOD,
	VM_CPUTUNE_BIT_EMULATOR_QUOTA,
	VM_CPUTUNE_BIT_IOTHREAD_PERIOD,
	VM_CPUTUNE_BIT_IOTHREAD_QUOTA,
	VM_CPUTUNE_BIT_VCPUPINS,
	VM_CPUTUNE_BIT_EMULATORPIN,
	VM_CPUTUNE_BIT_IOTHREADPINS,
	VM_CPUTUNE_BIT_VCPUSCHEDS,
	VM_CPUTUNE_BIT_IOTHREADSCHEDS,
	VM_CPUTUNE_BIT_EMULATORSCHED,
};
extern const struct mt_type vm_cputune_type;

/* ---- memory, disk bandwidth ---- */

/* This many bytes, 2^53 - 1 KiB, and more are no limit. Source: libvirt, VIR_DOMAIN_MEMORY_PARAM_UNLIMITED. */
#define VM_MEMTUNE_UNLIMITED (UINT64_C(9007199254740991) << 10)
struct vm_memtune {
	struct mt_obj obj;
	uint64_t hard, soft, swap; /* bytes; the bit tells */
};
enum vm_memtune_bit { VM_MEMTUNE_BIT_HARD, VM_MEMTUNE_BIT_SOFT, VM_MEMTUNE_BIT_SWAP };
extern const struct mt_type vm_memtune_type;

struct vm_blkio_device {
	struct mt_obj obj;
	char *path;
	uint64_t weight;		  /* 0 = absent */
	uint64_t read_iops, write_iops;	  /* a second; 0 = no limit */
	uint64_t read_bytes, write_bytes; /* likewise */
};
enum vm_blkio_device_bit {
	VM_BLKIO_DEVICE_BIT_PATH,
	VM_BLKIO_DEVICE_BIT_WEIGHT,
	VM_BLKIO_DEVICE_BIT_READ_IOPS,
	VM_BLKIO_DEVICE_BIT_WRITE_IOPS,
	VM_BLKIO_DEVICE_BIT_READ_BYTES,
	VM_BLKIO_DEVICE_BIT_WRITE_BYTES,
};
struct vm_blkiotune {
	struct mt_obj obj;
	uint64_t weight;	/* 0 = absent */
	struct mt_list devices; /* struct vm_blkio_device */
};
enum vm_blkiotune_bit { VM_BLKIOTUNE_BIT_WEIGHT, VM_BLKIOTUNE_BIT_DEVICES };
extern const struct mt_type vm_blkiotune_type, vm_blkio_device_type;

/* ---- NUMA ---- */

enum vm_numa_mode {
	VM_NUMA_ABSENT,
	VM_NUMA_STRICT,
	VM_NUMA_PREFERRED,
	VM_NUMA_INTERLEAVE,
	VM_NUMA_RESTRICTIVE
};
extern const char *const vm_numa_mode_words[];
struct vm_memnode {
	struct mt_obj obj;
	uint64_t cell;
	int mode; /* enum vm_numa_mode; absent = strict */
	struct mt_cpuset nodes;
};
struct vm_numatune {
	struct mt_obj obj;
	int mode, placement; /* enum vm_numa_mode, enum vm_vcpu_placement of domain.h */
	struct mt_cpuset nodes;
	struct mt_list memnodes; /* struct vm_memnode */
};
enum vm_numatune_bit {
	VM_NUMATUNE_BIT_MODE,
	VM_NUMATUNE_BIT_PLACEMENT,
	VM_NUMATUNE_BIT_NODES,
	VM_NUMATUNE_BIT_MEMNODES
};
extern const struct mt_type vm_numatune_type, vm_memnode_type;
/*
 * Are the nodes that its memory comes from, and the CPUs that its threads run on, chosen at each start (placement='auto')?
 * Memory without a word of its own follows the vCPUs, and the other way round threads that nothing pins the memory.
 * Source: libvirt, formatdomain "CPU Allocation" and "NUMA Node Tuning".
 */
bool vm_domain_auto_memory(const struct vm_domain *d);
bool vm_domain_auto_cpus(const struct vm_domain *d);

/* A guest's own NUMA node: <cpu><numa><cell>. */
struct vm_numa_sibling {
	struct mt_obj obj;
	uint64_t id, distance;
};
struct vm_numa_cell {
	struct mt_obj obj;
	uint64_t id; /* vm_numa_cell_id() */
	struct mt_cpuset cpus;
	uint64_t memory; /* bytes */
	int access;	 /* enum vm_memory_access */
	int discard;	 /* yes/no */
	struct mt_list siblings;
};
enum vm_numa_cell_bit {
	VM_NUMA_CELL_BIT_ID,
	VM_NUMA_CELL_BIT_CPUS,
	VM_NUMA_CELL_BIT_MEMORY,
	VM_NUMA_CELL_BIT_ACCESS,
	VM_NUMA_CELL_BIT_DISCARD,
	VM_NUMA_CELL_BIT_SIBLINGS,
};
extern const struct mt_type vm_numa_cell_type;
/* The id of the index-th cell of the document: as written, else its place. */
uint64_t vm_numa_cell_id(const struct mt_list *cells, uint32_t index);
/* The cells of a guest, or NULL; never an empty list. */
const struct mt_list *vm_domain_cells(const struct vm_domain *d);
const struct vm_numa_cell *vm_domain_cell(const struct vm_domain *d, uint64_t id);
/* Bytes of all cells, each in whole MiB; 0 = there are none. */
uint64_t vm_domain_cells_memory(const struct vm_domain *d);
/* From one cell to another: 10 = itself. Source: ACPI 6.4, 5.2.17 System Locality Information Table. */
uint64_t vm_domain_distance(const struct vm_domain *d, uint64_t from, uint64_t to);
bool vm_domain_has_distances(const struct vm_domain *d);

/* ---- where it is put ---- */

struct vm_resource {
	struct mt_obj obj;
	char *partition; /* "/machine/production"; NULL = the default */
	char *appid;	 /* Fibre Channel's application identifier */
};
enum vm_resource_bit { VM_RESOURCE_BIT_PARTITION, VM_RESOURCE_BIT_APPID };
extern const struct mt_type vm_resource_type;

/* ---- I/O threads ---- */

struct vm_iothread {
	struct mt_obj obj;
	uint64_t id;
	int64_t pool_min, pool_max; /* the bit tells */
};
struct vm_main_loop { /* <defaultiothread> */
	struct mt_obj obj;
	int64_t pool_min, pool_max;
};
enum vm_iothread_bit {
	VM_IOTHREAD_BIT_ID,
	VM_IOTHREAD_BIT_POOL_MIN,
	VM_IOTHREAD_BIT_POOL_MAX
};
extern const struct mt_type vm_iothread_type, vm_main_loop_type;
/*
 * The ids of a guest's I/O threads: those that <iothreadids> names, in its order, then the lowest unused
 * numbers up to <iothreads>.  *ret (owned) has the return value's number of entries.
 * Source: libvirt, formatdomain "IOThreads Allocation".
 */
uint32_t vm_domain_iothreads(const struct vm_domain *d, uint64_t **ret);
bool vm_domain_has_iothread(const struct vm_domain *d, uint64_t id);
const struct vm_iothread *vm_domain_iothread(const struct vm_domain *d, uint64_t id);

/* ---- memory's backing ---- */

enum vm_memory_source {
	VM_MEMORY_SOURCE_ABSENT,
	VM_MEMORY_ANONYMOUS,
	VM_MEMORY_FILE,
	VM_MEMORY_MEMFD
};
enum vm_memory_access { VM_MEMORY_ACCESS_ABSENT, VM_MEMORY_SHARED, VM_MEMORY_PRIVATE };
enum vm_memory_allocation {
	VM_MEMORY_ALLOCATION_ABSENT,
	VM_MEMORY_IMMEDIATE,
	VM_MEMORY_ONDEMAND
};
extern const char *const vm_memory_source_words[], *const vm_memory_access_words[],
    *const vm_memory_allocation_words[];
struct vm_huge_page {
	struct mt_obj obj;
	uint64_t size; /* bytes */
	struct mt_cpuset nodes; /* of the guest; nbits 0 = all others */
};
struct vm_memory_backing {
	struct mt_obj obj;
	bool nosharepages, locked, discard, hugepages;
	struct mt_list pages; /* struct vm_huge_page */
	int source, access, allocation;
	uint64_t threads; /* of the allocation; 0 = absent */
};
enum vm_memory_backing_bit {
	VM_MEMORY_BACKING_BIT_NOSHAREPAGES,
	VM_MEMORY_BACKING_BIT_LOCKED,
	VM_MEMORY_BACKING_BIT_DISCARD,
	VM_MEMORY_BACKING_BIT_SOURCE,
	VM_MEMORY_BACKING_BIT_ACCESS,
	VM_MEMORY_BACKING_BIT_ALLOCATION,
	VM_MEMORY_BACKING_BIT_THREADS,
	VM_MEMORY_BACKING_BIT_HUGEPAGES,
	VM_MEMORY_BACKING_BIT_PAGES,
};
extern const struct mt_type vm_memory_backing_type;
/* Is the memory of this cell (0 if there are none) in huge pages?  *ret_size: of one, 0 = the host's default. */
bool vm_domain_huge_pages(const struct vm_domain *d, uint64_t cell, uint64_t *ret_size);

static inline bool vm_cpuset_has(const struct mt_cpuset *s, uint64_t n)
{
	return n < s->nbits && s->bits[n / 64] >> n % 64 & 1;
}

/* The rules across these families and the rest of the guest. */
int vm_tune_check(const struct vm_domain *d, const struct mt_ctx *ctx, struct vm_err *err);
