// SPDX-License-Identifier: LGPL-2.1-or-later
#include "domain.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "rows.h"

const char *const vm_virt_words[] = {
    "",	   "kvm",   "qemu", "!xen",  "!lxc", "!bhyve",	"!vmware",    "!hyperv", "!vbox",
    "!vz", "!phyp", "!hvf", "!test", "!uml", "!openvz", "!parallels", NULL,
};
const char *const vm_lockfailure_words[] = {"", "poweroff", "restart", "pause", "ignore", NULL};

static const struct mt_row genid_rows[] = {
    MT_ROW(struct vm_genid, "#text", uuid, 0, MT_UUID, .flags = MT_ASSIGNED),
};
static const struct mt_type genid_type = {
    .elem = "genid",
    .size = sizeof(struct vm_genid),
    .rows = genid_rows,
    .n = VM_COUNT(genid_rows),
};

#define D(xml, member, bit, kind, ...)                                                             \
	MT_ROW(struct vm_domain, xml, member, VM_DOMAIN_BIT_##bit, kind, __VA_ARGS__)
#define D_WORD(xml, member, bit, list) D(xml, member, bit, MT_ENUM, .arg = list)
#define D_LIST(elem, member, bit, family)                                                          \
	D("devices/" elem, member, bit, MT_MANY, .arg = &vm_##family##_type)

static const struct mt_range kib_range = {.max = UINT64_MAX, .unit = "KiB"};
static const struct mt_range slots_range = {.min = 1, .max = 256};
static const struct mt_range vcpus_range = {.min = 1, .max = 65535};
static const struct mt_range iothreads_range = {.max = 4096};

static const struct mt_row domain_rows[] = {
    D("@type", virt, VIRT, MT_ENUM, .flags = MT_REQUIRED, .arg = vm_virt_words),
    D("@id", id, ID, MT_U64, .flags = MT_LIVE_ONLY),
    D("name/#text", name, NAME, MT_STR, .flags = MT_REQUIRED),
    D("uuid/#text", uuid, UUID, MT_UUID, .flags = MT_ASSIGNED),
    D("genid", genid, GENID, MT_ONE, .arg = &genid_type),
    D("title/#text", title, TITLE, MT_STR),
    D("description/#text", description, DESCRIPTION, MT_STR),
    D("metadata", metadata, METADATA, MT_KEEP),
    D("maxMemory/#text", max_memory, MAX_MEMORY, MT_SIZE, .arg = &kib_range),
    D("maxMemory/@slots", max_memory_slots, MAX_MEMORY_SLOTS, MT_U64, .arg = &slots_range),
    D("memory/#text", memory, MEMORY, MT_SIZE, .arg = &kib_range),
    D_WORD("memory/@dumpCore", dump_core, DUMP_CORE, vm_on_off_words),
    D("currentMemory/#text", current_memory, CURRENT_MEMORY, MT_SIZE, .flags = MT_HOT,
      .arg = &kib_range),
    D("blkiotune", blkiotune, BLKIOTUNE, MT_ONE, .arg = &vm_blkiotune_type),
    D("memtune", memtune, MEMTUNE, MT_ONE, .arg = &vm_memtune_type),
    D("memoryBacking", memory_backing, MEMORY_BACKING, MT_ONE, .arg = &vm_memory_backing_type),
    D("vcpu/#text", vcpus, VCPUS, MT_U64, .arg = &vcpus_range, .def = 1),
    D_WORD("vcpu/@placement", placement, PLACEMENT, vm_vcpu_placement_words),
    D("vcpu/@cpuset", cpuset, CPUSET, MT_CPUSET),
    D("vcpu/@current", vcpus_current, VCPUS_CURRENT, MT_U64, .flags = MT_HOT, .arg = &vcpus_range),
    D("iothreads/#text", iothreads, IOTHREADS, MT_U64, .arg = &iothreads_range),
    D("iothreadids/iothread", iothreadids, IOTHREADIDS, MT_MANY, .arg = &vm_iothread_type),
    D("defaultiothread", main_loop, MAIN_LOOP, MT_ONE, .arg = &vm_main_loop_type),
    D("cputune", cputune, CPUTUNE, MT_ONE, .arg = &vm_cputune_type),
    D("numatune", numatune, NUMATUNE, MT_ONE, .arg = &vm_numatune_type),
    D("resource", resource, RESOURCE, MT_ONE, .arg = &vm_resource_type),
    D("os", os, OS, MT_ONE, .flags = MT_REQUIRED, .arg = &vm_os_type),
    D("features", features, FEATURES, MT_ONE, .arg = &vm_features_type),
    D("cpu", cpu, CPU, MT_ONE, .arg = &vm_cpu_type),
    D("clock", clock, CLOCK, MT_ONE, .arg = &vm_clock_type),
    D_WORD("on_poweroff/#text", on_poweroff, ON_POWEROFF, vm_lifecycle_words),
    D_WORD("on_reboot/#text", on_reboot, ON_REBOOT, vm_lifecycle_words),
    D_WORD("on_crash/#text", on_crash, ON_CRASH, vm_lifecycle_words),
    D_WORD("on_lockfailure/#text", on_lockfailure, ON_LOCKFAILURE, vm_lockfailure_words),
    D_WORD("pm/suspend-to-mem/@enabled", suspend_to_mem, SUSPEND_TO_MEM, vm_yes_no_words),
    D_WORD("pm/suspend-to-disk/@enabled", suspend_to_disk, SUSPEND_TO_DISK, vm_yes_no_words),
    D_WORD("iommufd/@enabled", iommufd, IOMMUFD, vm_yes_no_words),
    D("devices/emulator/#text", emulator, EMULATOR, MT_PATH),
    D_LIST("disk", disks, DISKS, disk),
    D_LIST("controller", controllers, CONTROLLERS, controller),
    D_LIST("filesystem", filesystems, FILESYSTEMS, filesystem),
    D_LIST("interface", interfaces, INTERFACES, interface),
    D_LIST("serial", serials, SERIALS, serial),
    D_LIST("parallel", parallels, PARALLELS, parallel),
    D_LIST("console", consoles, CONSOLES, console),
    D_LIST("channel", channels, CHANNELS, channel),
    D_LIST("input", inputs, INPUTS, input),
    D_LIST("tpm", tpms, TPMS, tpm),
    D_LIST("graphics", graphics, GRAPHICS, graphics),
    D_LIST("audio", audios, AUDIOS, audio),
    D_LIST("video", videos, VIDEOS, video),
    D_LIST("hostdev", hostdevs, HOSTDEVS, hostdev),
    D_LIST("watchdog", watchdogs, WATCHDOGS, watchdog),
    D_LIST("memballoon", memballoons, MEMBALLOONS, memballoon),
    D_LIST("rng", rngs, RNGS, rng),
    D_LIST("panic", panics, PANICS, panic),
    D_LIST("iommu", iommus, IOMMUS, iommu),
    D("seclabel", seclabels, SECLABELS, MT_MANY, .arg = &vm_seclabel_type),
    D("*:*", foreign, FOREIGN, MT_KEEP),
};
const struct mt_type vm_domain_type = {
    .elem = "domain",
    .size = sizeof(struct vm_domain),
    .rows = domain_rows,
    .n = VM_COUNT(domain_rows),
    .check = vm_domain_check,
};

/* A definition's alias is its own only if it says so by "ua-"; others are what a run once made up.
 */
static int drop_alias(enum vm_device_family family, struct vm_device *dev, void *arg)
{
	(void)family;
	(void)arg;
	if (dev->alias && !vm_alias_is_admins(dev->alias)) {
		free(dev->alias);
		dev->alias = NULL;
		dev->obj.set &= ~VM_ONE(VM_DEVICE_ALIAS);
	}
	return 0;
}

/* Names the kernel or a run made up ("vnet3") are no wish of the admin's. */
static void drop_made_names(struct vm_domain *d)
{
	for (uint32_t i = 0; i < d->interfaces.n; i++) {
		struct vm_interface *f = d->interfaces.v[i];

		if (f->target && strncmp(f->target, "vnet", 4) == 0 && f->target[4] &&
		    f->target[4 + strspn(f->target + 4, "0123456789")] == '\0') {
			free(f->target);
			f->target = NULL;
			f->dev.obj.set &= ~VM_ONE(VM_INTERFACE_BIT_TARGET);
		}
	}
}

static void forget_set(struct mt_cpuset *set, struct mt_obj *obj, unsigned bit)
{
	free(set->bits);
	*set = (struct mt_cpuset){0};
	obj->set &= ~VM_ONE(bit);
}

/* Where a guest is put is decided at each start: what a document says beside 'auto' is of an earlier one.
 * Source: libvirt, formatdomain "CPU Allocation" and "NUMA Node Tuning". */
static void drop_places(struct vm_domain *d)
{
	if (d->placement == VM_PLACEMENT_AUTO)
		forget_set(&d->cpuset, &d->obj, VM_DOMAIN_BIT_CPUSET);
	if (d->numatune && d->numatune->placement == VM_PLACEMENT_AUTO)
		forget_set(&d->numatune->nodes, &d->numatune->obj, VM_NUMATUNE_BIT_NODES);
}

static void plain_element_is_on(bool present, int *state)
{
	if (present && *state == VM_SWITCH_ABSENT)
		*state = VM_SWITCH_ON;
}

int vm_domain_parse(const struct vm_xml *doc, bool live, struct vm_domain **ret, struct vm_err *err)
{
	void *obj = NULL;
	struct vm_domain *d;

	if (strcmp(vm_xml_name(doc, 0), "domain") != 0)
		return vm_xml_error(doc, 0, -1, VM_BAD_INPUT, err,
				    "<%s> is no guest: a guest's document begins with <domain>",
				    vm_xml_name(doc, 0));
	if (mt_parse(&vm_domain_type, doc, 0, live, &obj, err) < 0)
		return -1;
	d = obj;
	if (!live) {
		vm_domain_each_device(d, drop_alias, NULL);
		drop_made_names(d);
		drop_places(d);
	}
	if (vm_domain_cells_memory(d))
		d->memory = vm_domain_cells_memory(d);
	if (d->features) {
		struct vm_features *f = d->features;

		plain_element_is_on(f->smm_present, &f->smm);
		plain_element_is_on(f->pmu_present, &f->pmu);
		plain_element_is_on(f->pvspinlock_present, &f->pvspinlock);
		plain_element_is_on(f->vmcoreinfo_present, &f->vmcoreinfo);
	}
	*ret = d;
	return 0;
}

void vm_domain_free(struct vm_domain *d)
{
	if (d)
		mt_free(&vm_domain_type, d);
}

void vm_domain_freep(struct vm_domain **d)
{
	vm_domain_free(*d);
	*d = NULL;
}
