/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a document may say and this driver, or QEMU 7.2 as a PC, cannot do.  Nothing is left out in
 * silence: what does not come out as QEMU's option, as an action of the start or as a limit is
 * refused here, by line and column.
 */
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "qemu/qemu.h"

struct check {
	const struct vm_domain *d;
	struct mt_ctx ctx;
	struct vm_err *err;
};

#define REFUSE(c, obj, xml, ...)                                                                   \
	mt_error(&(c)->ctx, (obj), (xml), VM_UNSUPPORTED, (c)->err, __VA_ARGS__)
#define WRONG(c, obj, xml, ...)                                                                    \
	mt_error(&(c)->ctx, (obj), (xml), VM_BAD_INPUT, (c)->err, __VA_ARGS__)

static bool one_of(const char *word, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strcmp(word, *words) == 0)
			return true;
	return false;
}

/* ---- the machine ---- */

static int check_os(struct check *c)
{
	static const char *const archs[] = {"x86_64", "i686", NULL};
	const struct vm_os *os = c->d->os;

	if (c->d->virt != VM_VIRT_KVM && c->d->virt != VM_VIRT_QEMU)
		return REFUSE(c, c->d, "@type",
			      "this driver runs domains of type 'kvm' and 'qemu'");
	if (strcmp(os->type, "hvm") != 0)
		return REFUSE(c, os, "type", "QEMU runs os type 'hvm' alone");
	if (os->arch != NULL && !one_of(os->arch, archs))
		return REFUSE(c, os, "type/@arch", "architecture '%s' is not supported yet",
			      os->arch);
	if (os->machine != NULL && !vm_qemu_machine_known(os->machine))
		return REFUSE(
		    c, os, "type/@machine",
		    "machine '%s' is not supported yet; there are those of 'pc' and 'q35'",
		    os->machine);
	if (os->dtb != NULL)
		return REFUSE(c, os, "dtb", "a PC has no device tree");
	if (os->useserial == VM_SWITCH_ON)
		return REFUSE(c, os, "bios/@useserial", "useserial is not supported yet");
	if (os->loader == NULL && os->firmware != VM_FIRMWARE_EFI &&
	    (os->nvram != NULL || os->nvram_template != NULL))
		return REFUSE(c, os, "nvram", "<nvram> without <loader> is not supported yet");
	if (os->loader != NULL && os->loader_type != VM_LOADER_PFLASH && os->nvram != NULL)
		return WRONG(c, os, "nvram", "<nvram> needs a <loader type='pflash'>");
	if (os->nvram_template != NULL && os->nvram == NULL &&
	    (os->loader_type != VM_LOADER_PFLASH || os->loader_readonly != VM_SWITCH_ON))
		return WRONG(c, os, "nvram", "<nvram> needs <loader readonly='yes' type='pflash'>");
	if (c->d->on_lockfailure != VM_LOCKFAILURE_ABSENT)
		return REFUSE(c, c->d, "on_lockfailure",
			      "there is no lock manager that could fail");
	return 0;
}

static int check_features(struct check *c)
{
	const struct vm_features *f = c->d->features;
	const bool kvm = c->d->virt == VM_VIRT_KVM;

	if (f == NULL)
		return 0;
	if (f->hap_state == VM_SWITCH_OFF)
		return REFUSE(c, f, "hap/@state", "QEMU uses what the host has");
	if (f->viridian)
		return REFUSE(c, f, "viridian", "<viridian> is Xen's; QEMU has <hyperv>");
	if (f->privnet)
		return REFUSE(c, f, "privnet", "<privnet> is for containers");
	if (f->smm != VM_SWITCH_ABSENT && !vm_qemu_is_q35(c->d))
		return REFUSE(c, f, "smm", "only q35 machines have <smm>");
	if (f->smm_tseg != 0 && !vm_qemu_is_q35(c->d))
		return REFUSE(c, f, "smm/tseg", "only q35 machines have <tseg>");
	if (f->smm_tseg % (UINT64_C(1) << 20) != 0)
		return WRONG(c, f, "smm/tseg", "<tseg> is whole MiB");
	if (f->kvm != NULL && f->kvm->dirty_ring == VM_SWITCH_ON && !kvm)
		return REFUSE(c, f, "kvm", "<dirty-ring> needs type='kvm'");
	if (f->hyperv != NULL && f->hyperv->stimer == VM_SWITCH_ON &&
	    (f->hyperv->vpindex != VM_SWITCH_ON || f->hyperv->synic != VM_SWITCH_ON) &&
	    f->hyperv->mode != 2)
		return WRONG(c, f, "hyperv", "<stimer> needs <vpindex> and <synic>");
	return 0;
}

static int check_cpu(struct check *c)
{
	const struct vm_cpu *cpu = c->d->cpu;

	if (cpu == NULL)
		return 0;
	if (cpu->mode == VM_CPU_HOST_PASSTHROUGH && c->d->virt != VM_VIRT_KVM)
		return REFUSE(c, cpu, "@mode",
			      "'host-passthrough' needs type='kvm'; 'maximum' does "
			      "not");
	if (cpu->cache_mode == VM_CPU_CACHE_EMULATE && cpu->cache_level != 3)
		return REFUSE(c, cpu, "cache", "QEMU can emulate a cache of level 3 alone");
	if (cpu->cache_mode == VM_CPU_CACHE_PASSTHROUGH && cpu->mode != VM_CPU_HOST_PASSTHROUGH &&
	    cpu->mode != VM_CPU_MAXIMUM)
		return REFUSE(c, cpu, "cache", "the host's caches need mode='host-passthrough'");
	if (cpu->phys_mode == VM_CPU_PHYS_EMULATE && cpu->phys_bits == 0)
		return WRONG(c, cpu, "maxphysaddr", "mode='emulate' needs bits");
	if (cpu->phys_mode == VM_CPU_PHYS_PASSTHROUGH && cpu->mode != VM_CPU_HOST_PASSTHROUGH &&
	    cpu->mode != VM_CPU_MAXIMUM)
		return REFUSE(c, cpu, "maxphysaddr",
			      "the host's address bits need mode='host-passthrough'");
	return 0;
}

static int check_timer(struct check *c, const struct vm_timer *t)
{
	if (t->catchup_threshold != 0 || t->catchup_slew != 0 || t->catchup_limit != 0)
		return REFUSE(c, t, "catchup", "QEMU cannot be told how to catch up");
	switch ((enum vm_timer_name)t->name) {
	case VM_TIMER_RTC:
		if (t->track == VM_TRACK_BOOT)
			return REFUSE(c, t, "@track", "QEMU's RTC cannot track 'boot'");
		if (t->tick == VM_TICK_MERGE || t->tick == VM_TICK_DISCARD)
			return REFUSE(c, t, "@tickpolicy", "QEMU's RTC has no such tick policy");
		break;
	case VM_TIMER_PIT:
		if (t->tick == VM_TICK_MERGE)
			return REFUSE(c, t, "@tickpolicy", "QEMU's PIT has no tick policy 'merge'");
		break;
	case VM_TIMER_TSC:
		if (t->mode != VM_TIMER_MODE_ABSENT && t->mode != VM_TIMER_MODE_AUTO)
			return REFUSE(c, t, "@mode", "a mode of the TSC is not supported");
		break;
	case VM_TIMER_NONE:
	case VM_TIMER_PLATFORM:
	case VM_TIMER_HPET:
	case VM_TIMER_KVMCLOCK:
	case VM_TIMER_HYPERVCLOCK:
	case VM_TIMER_ARMVTIMER:
		break;
	}
	return 0;
}

static int check_clock(struct check *c)
{
	const struct vm_clock *clock = c->d->clock;

	if (clock == NULL)
		return 0;
	for (uint32_t i = 0; i < clock->timers.n; i++)
		if (check_timer(c, clock->timers.v[i]) < 0)
			return -1;
	return 0;
}

/* ---- disks ---- */

static int check_disk_bus(struct check *c, const struct vm_disk *disk)
{
	const bool q35 = vm_qemu_is_q35(c->d);
	const char *bus = vm_disk_bus_words[disk->bus];

	if (disk->bus == VM_BUS_IDE && q35)
		return REFUSE(c, disk, "target/@bus", "a q35 machine has no IDE; use 'sata'");
	if ((disk->device == VM_DISK_FLOPPY) != (disk->bus == VM_BUS_FDC))
		return REFUSE(c, disk, "target/@bus", "a %s cannot be on bus '%s'",
			      vm_disk_device_words[disk->device], bus);
	if (disk->device == VM_DISK_CDROM && disk->bus == VM_BUS_VIRTIO)
		return REFUSE(c, disk, "target/@bus", "a cdrom cannot be on bus 'virtio'");
	if (disk->device == VM_DISK_LUN &&
	    (disk->bus != VM_BUS_SCSI || disk->type != VM_DISK_BLOCK))
		return REFUSE(c, disk, "@device", "a lun is a block device on bus 'scsi'");
	return 0;
}

static int check_drive_address(struct check *c, const struct vm_disk *disk)
{
	const struct vm_address *a = disk->dev.address;
	const struct vm_controller *ctl;

	if (disk->dev.address_type != VM_ADDRESS_DRIVE || a == NULL)
		return disk->bus == VM_BUS_VIRTIO || disk->bus == VM_BUS_USB
			   ? 0
			   : WRONG(c, disk, "address", "a disk on bus '%s' has a drive address",
				   vm_disk_bus_words[disk->bus]);
	switch ((enum vm_disk_bus)disk->bus) {
	case VM_BUS_IDE:
		if (a->controller > 0)
			return REFUSE(c, disk, "address", "there is one IDE controller");
		if (a->bus > 1 || a->unit > 1 || a->target != 0)
			return WRONG(c, disk, "address", "IDE has buses 0 and 1, units 0 and 1");
		break;
	case VM_BUS_SATA:
		if (a->bus != 0 || a->target != 0 || a->unit > 5)
			return WRONG(c, disk, "address", "SATA has bus 0, units 0 to 5");
		break;
	case VM_BUS_FDC:
		if (a->controller != 0 || a->bus != 0 || a->target != 0 || a->unit > 1)
			return WRONG(c, disk, "address", "the floppy controller has units 0 and 1");
		break;
	case VM_BUS_SCSI:
		ctl = vm_controller_find(c->d, VM_CONTROLLER_SCSI, a->controller);
		if (ctl != NULL && ctl->model == VM_SCSI_LSILOGIC &&
		    (a->bus != 0 || a->target != 0 || a->unit > 7))
			return WRONG(c, disk, "address",
				     "an lsilogic has bus 0, target 0, units 0 to 7");
		if (a->bus != 0)
			return WRONG(c, disk, "address", "a SCSI controller has bus 0 alone");
		break;
	case VM_BUS_VIRTIO:
	case VM_BUS_USB:
		return WRONG(c, disk, "address", "a disk on bus '%s' has no drive address",
			     vm_disk_bus_words[disk->bus]);
	case VM_BUS_NONE:
	case VM_BUS_XEN:
	case VM_BUS_UML:
	case VM_BUS_SD:
		break;
	}
	return 0;
}

static int check_format(struct check *c, const void *obj, const char *xml, const char *format)
{
	static const char *const formats[] = {"raw", "qcow2",	  "qcow", "qed",   "vmdk",
					      "vdi", "vpc",	  "vhdx", "bochs", "cloop",
					      "dmg", "parallels", NULL};

	if (format == NULL || one_of(format, formats))
		return 0;
	if (strcmp(format, "iso") == 0)
		return WRONG(c, obj, xml, "an ISO image's format is 'raw'");
	return REFUSE(c, obj, xml, "format '%s' is not supported", format);
}

static int check_virtio_disk(struct check *c, const struct vm_disk *disk)
{
	if (disk->bus == VM_BUS_VIRTIO)
		return 0;
	if (disk->iothread != 0)
		return REFUSE(c, disk, "driver/@iothread", "only a virtio disk has an I/O thread");
	if (disk->queues != 0 || disk->queue_size != 0)
		return REFUSE(c, disk, "driver", "only a virtio disk has queues");
	if (disk->ioeventfd != VM_SWITCH_ABSENT || disk->event_idx != VM_SWITCH_ABSENT)
		return REFUSE(c, disk, "driver", "ioeventfd and event_idx are for virtio disks");
	if (disk->model != VM_VIRTIO_MODEL_ABSENT)
		return REFUSE(c, disk, "@model", "a model is for virtio disks");
	return 0;
}

static int check_disk(struct check *c, const struct vm_disk *disk)
{
	const bool empty = vm_disk_is_empty(disk);

	if (check_disk_bus(c, disk) < 0 || check_drive_address(c, disk) < 0 ||
	    check_virtio_disk(c, disk) < 0 ||
	    check_format(c, disk, "driver/@type", disk->format) < 0)
		return -1;
	for (const struct vm_backing_store *b = disk->backing;
	     b != NULL && b->type != VM_DISK_TYPE_NONE; b = b->backing)
		if (check_format(c, b, "format/@type", b->format) < 0)
			return -1;
	if (disk->type == VM_DISK_NVME && disk->format != NULL && strcmp(disk->format, "raw") != 0)
		return REFUSE(c, disk, "driver/@type", "a disk of type 'nvme' has format 'raw'");
	if (disk->type == VM_DISK_NVME && (disk->io || disk->backing != NULL || disk->shareable))
		return REFUSE(c, disk, "driver", "a disk of type 'nvme' has no io, no <backingStore> and is not shareable");
	if (empty && (disk->device == VM_DISK_DISK || disk->device == VM_DISK_LUN))
		return WRONG(c, disk, "source", "a disk needs a <source>");
	if (disk->driver != NULL && strcmp(disk->driver, "qemu") != 0)
		return REFUSE(c, disk, "driver/@name", "the driver of a disk is 'qemu'");
	if (disk->transient)
		return REFUSE(c, disk, "transient", "<transient> is not supported yet");
	if (disk->share_backing != VM_SWITCH_ABSENT)
		return REFUSE(c, disk, "transient", "shareBacking is not supported yet");
	if (disk->rawio == VM_SWITCH_ON)
		return REFUSE(c, disk, "@rawio", "rawio is not supported yet");
	if (disk->sgio != 0)
		return REFUSE(c, disk, "@sgio", "sgio is not supported yet");
	if (disk->tray == VM_TRAY_OPEN && !empty)
		return REFUSE(c, disk, "target/@tray", "a drive that is not empty starts closed");
	if (disk->shareable && disk->format != NULL && strcmp(disk->format, "raw") != 0)
		return WRONG(c, disk, "shareable", "a shareable disk has format 'raw'");
	if (disk->copy_on_read == VM_SWITCH_ON && disk->readonly)
		return WRONG(c, disk, "driver/@copy_on_read",
			     "copy_on_read needs a disk that can be written");
	if (disk->trans != VM_TRANS_ABSENT && disk->bus != VM_BUS_IDE)
		return REFUSE(c, disk, "geometry/@trans", "trans is for disks on bus 'ide'");
	if (disk->removable != VM_SWITCH_ABSENT && disk->bus != VM_BUS_USB &&
	    disk->bus != VM_BUS_SCSI)
		return REFUSE(c, disk, "target/@removable",
			      "removable is for bus 'usb' and 'scsi'");
	if (disk->io == VM_IO_NATIVE && disk->cache != VM_CACHE_NONE &&
	    disk->cache != VM_CACHE_DIRECTSYNC)
		return WRONG(c, disk, "driver/@io",
			     "io='native' needs cache='none' or 'directsync'");
	return 0;
}

/* ---- controllers ---- */

static int check_pci_controller(struct check *c, const struct vm_controller *ctl)
{
	const bool q35 = vm_qemu_is_q35(c->d);
	const bool root = ctl->model == VM_PCI_ROOT || ctl->model == VM_PCIE_ROOT;

	if (ctl->model == VM_PCI_EXPANDER && q35)
		return REFUSE(c, ctl, "@model", "a q35 machine has no 'pci-expander-bus'");
	if (!q35 && ctl->model != VM_PCI_ROOT && ctl->model != VM_PCI_BRIDGE &&
	    ctl->model != VM_PCI_EXPANDER)
		return REFUSE(c, ctl, "@model", "an i440fx machine has no '%s'",
			      vm_controller_model_words[ctl->model]);
	if (mt_is_set(&ctl->dev.obj, VM_CONTROLLER_BIT_NODE))
		return REFUSE(c, ctl, "target/node", "NUMA nodes are not supported yet");
	if (ctl->hotplug != VM_SWITCH_ABSENT && ctl->model != VM_PCI_ROOT &&
	    ctl->model != VM_PCIE_ROOT_PORT && ctl->model != VM_PCIE_DOWNSTREAM_PORT)
		return REFUSE(c, ctl, "target/@hotplug", "hotplug of a '%s' cannot be switched",
			      vm_controller_model_words[ctl->model]);
	if (mt_is_set(&ctl->dev.obj, VM_CONTROLLER_BIT_PCIHOLE64) && !root)
		return REFUSE(c, ctl, "pcihole64", "<pcihole64> is for the root controller");
	return 0;
}

static int check_controller(struct check *c, const struct vm_controller *ctl)
{
	switch ((enum vm_controller_kind)ctl->kind) {
	case VM_CONTROLLER_PCI:
		return check_pci_controller(c, ctl);
	case VM_CONTROLLER_IDE:
		if (vm_qemu_is_q35(c->d))
			return REFUSE(c, ctl, "@type", "a q35 machine has no IDE; use 'sata'");
		if (ctl->index > 0)
			return REFUSE(c, ctl, "@index", "there is one IDE controller");
		break;
	case VM_CONTROLLER_FDC:
		if (ctl->index > 0)
			return REFUSE(c, ctl, "@index", "there is one floppy controller");
		break;
	case VM_CONTROLLER_SCSI:
		if (ctl->model == VM_SCSI_BUSLOGIC || ctl->model == VM_SCSI_IBMVSCSI ||
		    ctl->model == VM_SCSI_NCR53C90)
			return REFUSE(c, ctl, "@model", "a PC has no '%s'",
				      vm_controller_model_words[ctl->model]);
		if (ctl->iothread > c->d->iothreads)
			return WRONG(c, ctl, "driver/@iothread", "there is no I/O thread %llu",
				     (unsigned long long)ctl->iothread);
		break;
	case VM_CONTROLLER_USB:
	case VM_CONTROLLER_SATA:
	case VM_CONTROLLER_VIRTIO_SERIAL:
		break;
	case VM_CONTROLLER_NONE:
	case VM_CONTROLLER_CCID:
	case VM_CONTROLLER_XENBUS:
	case VM_CONTROLLER_ISA:
	case VM_CONTROLLER_KINDS:
		return REFUSE(c, ctl, "@type", "controllers of type '%s' are not supported yet",
			      vm_controller_kind_words[ctl->kind]);
	}
	return 0;
}

/* ---- the IOMMU ---- */

/* Without extended interrupt mode an interrupt's target has eight bits.  Source: libvirt 9.0, formatdomain "IOMMU
 * devices", eim. */
#define VCPUS_WITHOUT_EIM 255u

static int check_vcpus(struct check *c)
{
	const struct vm_iommu *i = vm_domain_iommu(c->d);

	if (c->d->vcpus <= VCPUS_WITHOUT_EIM)
		return 0;
	if (!vm_qemu_is_q35(c->d))
		return REFUSE(c, c->d, "vcpu", "more than %u vCPUs need a q35 machine", VCPUS_WITHOUT_EIM);
	if (i != NULL && i->eim == VM_SWITCH_ON)
		return 0;
	WRONG(c, c->d, "vcpu", "more than %u vCPUs need an IOMMU with extended interrupt mode", VCPUS_WITHOUT_EIM);
	return vm_err_hint(c->err, "add <iommu model='intel'> with <driver intremap='on' eim='on'/>");
}

/* Nothing tells VFIO of the guest's mappings without caching mode, and QEMU ends when it finds such a device.
 * Source: hw/i386/intel_iommu.c, QEMU 7.2. */
static int check_caching_mode(struct check *c)
{
	struct vm_hostdev_iter iter = { 0 };
	const struct vm_hostdev *h;

	while ((h = vm_hostdev_next(c->d, &iter)) != NULL) {
		if (iter.disk != NULL || h->dev.address_type == VM_ADDRESS_UNASSIGNED ||
		    (h->type != VM_HOSTDEV_TYPE_PCI && h->type != VM_HOSTDEV_TYPE_MDEV))
			continue;
		WRONG(c, iter.interface != NULL ? (const void *)iter.interface : h, NULL,
		      "a host device behind the guest's Intel IOMMU needs its caching mode");
		return vm_err_hint(c->err, "write <driver caching_mode='on'/> into <iommu>");
	}
	return 0;
}

static int check_iommu(struct check *c)
{
	const struct vm_iommu *i = vm_domain_iommu(c->d);

	if (i == NULL)
		return 0;
	if (!vm_qemu_is_q35(c->d))
		return REFUSE(c, i, "@model", "only q35 machines have an IOMMU; this one is a '%s'",
			      c->d->os->machine);
	/* Only its table tells the guest of it.  Source: libvirt 9.0; docs of QEMU 7.2's virtio-iommu (VIOT). */
	if (i->model == VM_IOMMU_VIRTIO && (c->d->features == NULL || !c->d->features->acpi)) {
		WRONG(c, i, "@model", "a guest without ACPI does not find a 'virtio' IOMMU");
		return vm_err_hint(c->err, "write <acpi/> into <features>");
	}
	if (i->model != VM_IOMMU_INTEL)
		return 0;
	if (i->intremap == VM_SWITCH_ON && (c->d->features == NULL || c->d->features->ioapic != VM_IOAPIC_QEMU)) {
		WRONG(c, i, "driver/@intremap", "interrupt remapping needs QEMU's own I/O APIC");
		return vm_err_hint(c->err, "write <ioapic driver='qemu'/> into <features>");
	}
	/* Source: vtd_decide_config() of QEMU 7.2 */
	if (i->aw_bits != 0 && i->aw_bits != 39 && i->aw_bits != 48)
		return REFUSE(c, i, "driver/@aw_bits", "an Intel IOMMU has addresses of 39 or 48 bits");
	return i->caching_mode == VM_SWITCH_ON ? 0 : check_caching_mode(c);
}

/* ---- other devices ---- */

static int check_interface(struct check *c, const struct vm_interface *n)
{
	const bool virtio = n->model >= VM_NET_VIRTIO && n->model <= VM_NET_VIRTIO_NON_TRANSITIONAL;

	if (n->kind == VM_INTERFACE_HOSTDEV) {
		if (n->teaming != NULL && n->dev.address_type == VM_ADDRESS_UNASSIGNED)
			return WRONG(c, n, "address", "one of a team is given to the guest");
		return 0;
	}
	if (n->kind != VM_INTERFACE_USER && n->kind != VM_INTERFACE_ETHERNET &&
	    n->kind != VM_INTERFACE_BRIDGE)
		return REFUSE(c, n, "@type", "interfaces of type '%s' are not supported yet",
			      vm_interface_kind_words[n->kind]);
	if (n->kind == VM_INTERFACE_BRIDGE && (n->source == NULL || n->source->bridge == NULL))
		return WRONG(c, n, "source",
			     "an interface of type 'bridge' needs "
			     "<source bridge='...'/>");
	if (n->model == VM_NET_IGB)
		return REFUSE(c, n, "model/@type", "QEMU 7.2 has no 'igb'");
	if (!virtio && (n->queues > 1 || n->rx_queue_size != 0 || n->tx_queue_size != 0 ||
			n->driver == VM_NET_DRIVER_VHOST || n->txmode != VM_TXMODE_ABSENT))
		return REFUSE(c, n, "driver", "<driver> is for virtio cards");
	if (n->kind == VM_INTERFACE_USER && n->queues > 1)
		return REFUSE(c, n, "driver/@queues", "a user network has one queue");
	if (n->mtu != 0 && n->kind == VM_INTERFACE_USER && !vm_interface_is_passt(n))
		return REFUSE(c, n, "mtu", "the MTU of a user network cannot be set");
	if (n->backend_type != NULL && strcmp(n->backend_type, "default") != 0 && !vm_interface_is_passt(n))
		return REFUSE(c, n, "backend/@type", "backend '%s' is not supported yet",
			      n->backend_type);
	if (n->tap != NULL || n->vhost != NULL)
		return REFUSE(c, n, "backend", "a backend's paths are not supported yet");
	if (n->script != NULL || n->downscript != NULL)
		return REFUSE(c, n, "script", "<script> is not run; a hook can do at 'start' what it does (vm-hooks(5))");
	if (n->rx_frames != 0)
		return REFUSE(c, n, "coalesce", "<coalesce> is not supported yet");
	if (n->isolated == VM_SWITCH_ON)
		return REFUSE(c, n, "port/@isolated", "isolated ports are not supported yet");
	if (n->ips.n > 0 && n->kind != VM_INTERFACE_USER)
		return REFUSE(c, n, "ip", "<ip> is for type 'user'");
	return 0;
}

static int check_chars(struct check *c)
{
	for (uint32_t i = 0; i < c->d->serials.n; i++) {
		const struct vm_char *s = c->d->serials.v[i];

		if (s->type == VM_CHARDEV_UNIX && (s->backend == NULL || s->backend->path == NULL))
			return WRONG(c, s, "source", "a unix socket needs a path");
		if (s->target_type == VM_SERIAL_ISA && s->target_port > 3 &&
		    s->dev.address_type != VM_ADDRESS_ISA)
			return REFUSE(c, s, "target/@port", "a PC has four ISA serial ports");
	}
	for (uint32_t i = 0; i < c->d->parallels.n; i++)
		if (i > 2)
			return REFUSE(c, c->d->parallels.v[i], NULL,
				      "a PC has three parallel ports");
	for (uint32_t i = 1; i < c->d->consoles.n; i++) {
		const struct vm_char *console = c->d->consoles.v[i];

		if (console->target_type != VM_CONSOLE_VIRTIO)
			return REFUSE(c, console, "target/@type",
				      "only the first console can be a serial port");
	}
	return 0;
}

static int check_videos(struct check *c)
{
	VM_AUTO_FREE struct vm_video **videos = vm_videos_of(c->d);

	for (size_t i = 0; videos[i] != NULL; i++) {
		const struct vm_video *v = videos[i];

		if (v->kind == VM_VIDEO_NONE && c->d->videos.n > 1)
			return WRONG(c, v, "model/@type", "'none' stands alone");
		if (i > 0 && v->kind != VM_VIDEO_QXL && v->kind != VM_VIDEO_VIRTIO)
			return REFUSE(c, v, "model/@type",
				      "'%s' can only be the first video device",
				      vm_video_kind_words[v->kind]);
		if (i > 0 && v->primary == VM_SWITCH_ON)
			return WRONG(c, v, "model/@primary", "there are two primary devices");
		if (v->accel2d == VM_SWITCH_ON)
			return REFUSE(c, v, "model/acceleration", "QEMU has no 2D acceleration");
		if (v->accel3d == VM_SWITCH_ON && v->kind != VM_VIDEO_VIRTIO)
			return REFUSE(c, v, "model/acceleration",
				      "3D acceleration is for 'virtio'");
		if (v->vgaconf != VM_VGACONF_ABSENT)
			return REFUSE(c, v, "driver/@vgaconf", "vgaconf is not QEMU's");
		if (v->kind == VM_VIDEO_VGA && v->vram != 0 && v->vram < 1024)
			return WRONG(c, v, "model/@vram", "vram is at least 1 MiB");
	}
	return 0;
}

static int check_graphics(struct check *c)
{
	for (uint32_t i = 0; i < c->d->graphics.n; i++) {
		const struct vm_graphics *g = c->d->graphics.v[i];

		if (g->kind != VM_GRAPHICS_VNC)
			return REFUSE(c, g, "@type", "graphics of type '%s' are not supported yet",
				      vm_graphics_kind_words[g->kind]);
		if (i > 0)
			return REFUSE(c, g, NULL, "a second <graphics> is not supported yet");
		if (g->vnc->port > 0 && g->vnc->port < 5900)
			return WRONG(c, g, "@port", "VNC ports begin with 5900");
	}
	return 0;
}

static int check_small(struct check *c)
{
	const struct vm_watchdog *first;

	for (uint32_t i = 0; i < c->d->watchdogs.n; i++) {
		const struct vm_watchdog *w = c->d->watchdogs.v[i];

		first = c->d->watchdogs.v[0];
		if (w->model == VM_WATCHDOG_ITCO && !vm_qemu_is_q35(c->d))
			return REFUSE(c, w, "@model", "only q35 machines have an 'itco'");
		if (w->action != first->action)
			return REFUSE(c, w, "@action", "watchdogs of one guest have one action");
		if (w->model == VM_WATCHDOG_IB700 && w->dev.address_type != VM_ADDRESS_NONE)
			return REFUSE(c, w, "address", "an 'ib700' has no address");
	}
	if (c->d->memballoons.n > 1)
		return REFUSE(c, c->d->memballoons.v[1], NULL, "there can be one memballoon");
	for (uint32_t i = 0; i < c->d->panics.n; i++) {
		const struct vm_panic *p = c->d->panics.v[i];

		if (p->model == VM_PANIC_PVPANIC)
			return REFUSE(c, p, "@model", "panic model 'pvpanic' is not supported yet");
		if (p->model == VM_PANIC_HYPERV && p->dev.address_type != VM_ADDRESS_NONE)
			return WRONG(c, p, "address", "panic model 'hyperv' has no address");
		for (uint32_t j = 0; j < i; j++)
			if (((const struct vm_panic *)c->d->panics.v[j])->model == p->model)
				return WRONG(c, p, "@model",
					     "there are two panic devices of model '%s'",
					     vm_panic_model_words[p->model]);
	}
	return 0;
}

int vm_qemu_validate(const struct vm_domain *d, const struct vm_xml *doc, struct vm_err *err)
{
	struct check c = {.d = d, .ctx = {.doc = doc, .root = d}, .err = err};

	if (check_os(&c) < 0 || check_features(&c) < 0 || check_cpu(&c) < 0 || check_clock(&c) < 0)
		return -1;
	for (uint32_t i = 0; i < d->controllers.n; i++)
		if (check_controller(&c, d->controllers.v[i]) < 0)
			return -1;
	for (uint32_t i = 0; i < d->disks.n; i++)
		if (check_disk(&c, d->disks.v[i]) < 0)
			return -1;
	for (uint32_t i = 0; i < d->interfaces.n; i++)
		if (check_interface(&c, d->interfaces.v[i]) < 0)
			return -1;
	if (check_chars(&c) < 0 || check_videos(&c) < 0 || check_graphics(&c) < 0)
		return -1;
	if (check_vcpus(&c) < 0 || check_iommu(&c) < 0)
		return -1;
	return check_small(&c);
}
