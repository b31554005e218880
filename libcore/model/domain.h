/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The guest as a whole. */
#include <vm/model.h>

#include "chardev.h"
#include "controller.h"
#include "disk.h"
#include "graphics.h"
#include "helped.h"
#include "hostdev.h"
#include "interface.h"
#include "iommu.h"
#include "misc.h"
#include "os.h"
#include "seclabel.h"
#include "tune.h"

enum vm_virt {
	VM_VIRT_NONE,
	VM_VIRT_KVM,
	VM_VIRT_QEMU,
	VM_VIRT_XEN,
	VM_VIRT_LXC,
	VM_VIRT_BHYVE,
	VM_VIRT_VMWARE,
	VM_VIRT_HYPERV,
	VM_VIRT_VBOX,
	VM_VIRT_VZ,
	VM_VIRT_PHYP,
	VM_VIRT_HVF,
	VM_VIRT_TEST,
	VM_VIRT_UML,
	VM_VIRT_OPENVZ,
	VM_VIRT_PARALLELS
};
enum vm_vcpu_placement { VM_PLACEMENT_ABSENT, VM_PLACEMENT_STATIC, VM_PLACEMENT_AUTO };
enum vm_lifecycle {
	VM_LIFECYCLE_ABSENT,
	VM_LIFECYCLE_DESTROY,
	VM_LIFECYCLE_RESTART,
	VM_LIFECYCLE_RENAME_RESTART,
	VM_LIFECYCLE_PRESERVE,
	VM_LIFECYCLE_COREDUMP_DESTROY,
	VM_LIFECYCLE_COREDUMP_RESTART
};
enum vm_lockfailure {
	VM_LOCKFAILURE_ABSENT,
	VM_LOCKFAILURE_POWEROFF,
	VM_LOCKFAILURE_RESTART,
	VM_LOCKFAILURE_PAUSE,
	VM_LOCKFAILURE_IGNORE
};
extern const char *const vm_virt_words[],
    *const vm_vcpu_placement_words[], *const vm_lifecycle_words[], *const vm_lockfailure_words[];

struct vm_genid {
	struct mt_obj obj;
	uint8_t uuid[16]; /* bit 0; assigned if <genid/> is empty */
};
struct vm_domain {
	struct mt_obj obj;
	int virt;    /* @type */
	uint64_t id; /* live only */
	char *name;
	uint8_t uuid[16]; /* bit VM_DOMAIN_BIT_UUID */
	char *title, *description;
	struct vm_genid *genid;
	char *metadata, *foreign;		     /* XML text, kept */
	uint64_t memory, current_memory, max_memory; /* bytes; 0 = absent */
	uint64_t max_memory_slots;
	int dump_core;		       /* on/off */
	uint64_t vcpus, vcpus_current; /* at most; at start (0 = all) */
	int placement;
	struct mt_cpuset cpuset;
	uint64_t iothreads; /* as written; vm_domain_iothreads() has all of them */
	struct mt_list iothreadids;	     /* struct vm_iothread */
	struct vm_main_loop *main_loop;	     /* <defaultiothread> */
	struct vm_memory_backing *memory_backing;
	struct vm_blkiotune *blkiotune;
	struct vm_memtune *memtune;
	struct vm_cputune *cputune;
	struct vm_numatune *numatune;
	struct vm_resource *resource;
	struct mt_list seclabels; /* struct vm_seclabel */
	struct vm_os *os; /* never NULL */
	struct vm_features *features;
	struct vm_cpu *cpu;
	struct vm_clock *clock;
	int on_poweroff, on_reboot, on_crash, on_lockfailure;
	int suspend_to_mem, suspend_to_disk; /* yes/no */
	int iommufd; /* yes/no; of a run: do its PCI host devices use it, where each says nothing itself? */
	char *emulator;			     /* filled by the driver if absent */
	struct mt_list disks, controllers, interfaces, serials, parallels, consoles, channels;
	struct mt_list inputs, graphics, videos, memballoons, rngs, watchdogs, panics,
	    audios, hostdevs, tpms, filesystems, iommus;
};
enum vm_domain_bit {
	VM_DOMAIN_BIT_VIRT,
	VM_DOMAIN_BIT_ID,
	VM_DOMAIN_BIT_NAME,
	VM_DOMAIN_BIT_UUID,
	VM_DOMAIN_BIT_TITLE,
	VM_DOMAIN_BIT_DESCRIPTION,
	VM_DOMAIN_BIT_GENID,
	VM_DOMAIN_BIT_METADATA,
	VM_DOMAIN_BIT_FOREIGN,
	VM_DOMAIN_BIT_MEMORY,
	VM_DOMAIN_BIT_CURRENT_MEMORY,
	VM_DOMAIN_BIT_MAX_MEMORY,
	VM_DOMAIN_BIT_MAX_MEMORY_SLOTS,
	VM_DOMAIN_BIT_DUMP_CORE,
	VM_DOMAIN_BIT_VCPUS,
	VM_DOMAIN_BIT_VCPUS_CURRENT,
	VM_DOMAIN_BIT_PLACEMENT,
	VM_DOMAIN_BIT_CPUSET,
	VM_DOMAIN_BIT_IOTHREADS,
	VM_DOMAIN_BIT_OS,
	VM_DOMAIN_BIT_FEATURES,
	VM_DOMAIN_BIT_CPU,
	VM_DOMAIN_BIT_CLOCK,
	VM_DOMAIN_BIT_ON_POWEROFF,
	VM_DOMAIN_BIT_ON_REBOOT,
	VM_DOMAIN_BIT_ON_CRASH,
	VM_DOMAIN_BIT_ON_LOCKFAILURE,
	VM_DOMAIN_BIT_SUSPEND_TO_MEM,
	VM_DOMAIN_BIT_SUSPEND_TO_DISK,
	VM_DOMAIN_BIT_IOMMUFD,
	VM_DOMAIN_BIT_EMULATOR,
	VM_DOMAIN_BIT_DISKS,
	VM_DOMAIN_BIT_CONTROLLERS,
	VM_DOMAIN_BIT_INTERFACES,
	VM_DOMAIN_BIT_SERIALS,
	VM_DOMAIN_BIT_PARALLELS,
	VM_DOMAIN_BIT_CONSOLES,
	VM_DOMAIN_BIT_CHANNELS,
	VM_DOMAIN_BIT_INPUTS,
	VM_DOMAIN_BIT_GRAPHICS,
	VM_DOMAIN_BIT_VIDEOS,
	VM_DOMAIN_BIT_MEMBALLOONS,
	VM_DOMAIN_BIT_RNGS,
	VM_DOMAIN_BIT_WATCHDOGS,
	VM_DOMAIN_BIT_PANICS,
	VM_DOMAIN_BIT_AUDIOS,
	VM_DOMAIN_BIT_IOTHREADIDS,
	VM_DOMAIN_BIT_MAIN_LOOP,
	VM_DOMAIN_BIT_MEMORY_BACKING,
	VM_DOMAIN_BIT_BLKIOTUNE,
	VM_DOMAIN_BIT_MEMTUNE,
	VM_DOMAIN_BIT_CPUTUNE,
	VM_DOMAIN_BIT_NUMATUNE,
	VM_DOMAIN_BIT_RESOURCE,
	VM_DOMAIN_BIT_HOSTDEVS,
	VM_DOMAIN_BIT_SECLABELS,
	VM_DOMAIN_BIT_TPMS,
	VM_DOMAIN_BIT_FILESYSTEMS,
	VM_DOMAIN_BIT_IOMMUS,
};

/* The device lists of a domain, for code that walks all devices. */
enum vm_device_family {
	VM_FAMILY_DISK,
	VM_FAMILY_CONTROLLER,
	VM_FAMILY_INTERFACE,
	VM_FAMILY_SERIAL,
	VM_FAMILY_PARALLEL,
	VM_FAMILY_CONSOLE,
	VM_FAMILY_CHANNEL,
	VM_FAMILY_INPUT,
	VM_FAMILY_GRAPHICS,
	VM_FAMILY_VIDEO,
	VM_FAMILY_MEMBALLOON,
	VM_FAMILY_RNG,
	VM_FAMILY_WATCHDOG,
	VM_FAMILY_PANIC,
	VM_FAMILY_AUDIO,
	VM_FAMILY_HOSTDEV,
	VM_FAMILY_TPM,
	VM_FAMILY_FILESYSTEM,
	VM_FAMILY_IOMMU,
	VM_FAMILIES
};
struct vm_family {
	const char *name; /* element */
	size_t list_off;  /* offsetof(struct vm_domain, ...) */
	const struct mt_type *type;
};
extern const struct vm_family vm_families[VM_FAMILIES];
/* Stops at a non-zero return of fn, which it returns. */
int vm_domain_each_device(const struct vm_domain *d,
			  int (*fn)(enum vm_device_family family, struct vm_device *dev, void *arg),
			  void *arg);
static inline struct mt_list *vm_domain_list(const struct vm_domain *d,
					     enum vm_device_family family)
{
	return (struct mt_list *)(void *)((char *)(uintptr_t)d + vm_families[family].list_off);
}
/* Is its machine a q35 ("q35", "pc-q35-7.2")? */
bool vm_domain_is_q35(const struct vm_domain *d);
/* The IOMMU that the guest sees, or NULL. */
const struct vm_iommu *vm_domain_iommu(const struct vm_domain *d);
/* Appends a new, empty object of the family, made by us (node = VM_NODE_NONE). */
void *vm_domain_add_device(struct vm_domain *d, enum vm_device_family family);

/* The first device on this PCI bus, or NULL; its family in *ret_family (may be NULL). */
const struct vm_device *vm_domain_on_bus(const struct vm_domain *d, uint64_t bus,
					 enum vm_device_family *ret_family);
