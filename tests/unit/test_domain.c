/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The families of a guest: what is read from a document, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <model/domain.h>
#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/strbuf.h>

static struct vm_xml *doc;
static struct vm_err err;

static struct vm_domain *parse(const char *text, bool live)
{
	struct vm_domain *d = NULL;

	vm_xml_free(doc);
	doc = NULL;
	err = VM_ERR_INIT;
	if (vm_xml_parse(text, strlen(text), "t.xml", &doc, &err) < 0)
		fail_msg("%s", err.msg);
	return vm_domain_parse(doc, live, &d, &err) < 0 ? NULL : d;
}

static struct vm_domain *load(const char *name, bool live)
{
	VM_AUTO_FREE char *path = vm_xasprintf("%s/domain/%s", VM_TEST_DATA, name);
	struct vm_domain *d = NULL;

	vm_xml_free(doc);
	doc = NULL;
	err = VM_ERR_INIT;
	if (vm_xml_load(path, &doc, &err) < 0 || vm_domain_parse(doc, live, &d, &err) < 0)
		fail_msg("%s", err.msg);
	return d;
}

static void head(void **state)
{
	VM_AUTO(vm_domain_freep) struct vm_domain *d = load("everything.xml", false);

	(void)state;
	assert_int_equal(d->virt, VM_VIRT_KVM);
	assert_string_equal(d->name, "every thing");
	assert_int_equal(d->uuid[15], 0x11);
	assert_string_equal(d->title, "Everything & more");
	assert_true(d->memory == UINT64_C(4) << 30);
	assert_true(d->current_memory == UINT64_C(2) << 30);
	assert_int_equal(d->dump_core, VM_SWITCH_OFF);
	assert_int_equal(d->vcpus, 8);
	assert_int_equal(d->vcpus_current, 2);
	assert_int_equal(d->iothreads, 2);
	assert_non_null(strstr(d->metadata, "kept"));
	assert_non_null(strstr(d->foreign, "app:extra"));
	assert_int_equal(d->genid->uuid[0], 0x43);
	assert_int_equal(d->on_poweroff, VM_LIFECYCLE_DESTROY);
	assert_int_equal(d->on_crash, VM_LIFECYCLE_COREDUMP_RESTART);
	assert_int_equal(d->on_lockfailure, VM_LOCKFAILURE_PAUSE);
	assert_int_equal(d->suspend_to_mem, VM_SWITCH_OFF);
	assert_int_equal(d->suspend_to_disk, VM_SWITCH_ON);
	assert_string_equal(d->emulator, "/usr/bin/qemu-system-x86_64");
	assert_true(vm_domain_is_q35(d));

	assert_string_equal(d->os->machine, "pc-q35-7.2");
	assert_string_equal(d->os->cmdline, "console=ttyS0  quiet");
	assert_int_equal(d->os->loader_type, VM_LOADER_PFLASH);
	assert_int_equal(d->os->loader_secure, VM_SWITCH_ON);
	assert_string_equal(d->os->nvram_template, "/usr/share/OVMF/OVMF_VARS.ms.fd");
	assert_int_equal(d->os->reboot_timeout_ms, -1);
	assert_int_equal(d->os->bootmenu_timeout_ms, 3000);
	assert_int_equal(d->os->smbios, VM_SMBIOS_EMULATE);
}

static void machine(void **state)
{
	VM_AUTO(vm_domain_freep) struct vm_domain *d = load("everything.xml", false);
	const struct vm_features *f = d->features;
	const struct vm_timer *t;

	(void)state;
	assert_true(f->acpi && f->apic && f->pae && !f->hap);
	assert_int_equal(f->apic_eoi, VM_SWITCH_ON);
	assert_int_equal(f->smm, VM_SWITCH_ON);
	assert_int_equal(f->smm_tseg, 48 << 20);
	assert_int_equal(f->vmport, VM_SWITCH_OFF);
	assert_int_equal(f->pmu, VM_SWITCH_ABSENT);
	assert_int_equal(f->vmcoreinfo, VM_SWITCH_ON); /* the element alone */
	assert_int_equal(f->ioapic, VM_IOAPIC_QEMU);
	assert_int_equal(f->hyperv->spinlocks_retries, 8191);
	assert_int_equal(f->hyperv->stimer_direct, VM_SWITCH_ON);
	assert_string_equal(f->hyperv->vendor_id_value, "KVM Hv");
	assert_int_equal(f->kvm->dirty_ring_size, 4096);

	assert_int_equal(d->cpu->mode, VM_CPU_CUSTOM);
	assert_string_equal(d->cpu->model, "Haswell-noTSX");
	assert_int_equal(d->cpu->sockets * d->cpu->cores * d->cpu->threads, 8);
	assert_int_equal(d->cpu->features.n, 2);
	assert_int_equal(((struct vm_cpu_feature *)d->cpu->features.v[0])->policy, VM_CPU_DISABLE);
	assert_int_equal(((struct vm_cpu_feature *)d->cpu->features.v[1])->policy, VM_CPU_REQUIRE);
	assert_int_equal(d->cpu->phys_bits, 42);

	assert_int_equal(d->clock->offset, VM_CLOCK_VARIABLE);
	assert_string_equal(d->clock->adjustment, "-3600");
	assert_int_equal(d->clock->basis, VM_CLOCK_LOCALTIME);
	assert_int_equal(d->clock->timers.n, 3);
	t = d->clock->timers.v[0];
	assert_int_equal(t->name, VM_TIMER_RTC);
	assert_int_equal(t->catchup_limit, 10000);
	t = d->clock->timers.v[1];
	assert_true(t->frequency_hz == 3504000000u);
}

static void disks(void **state)
{
	VM_AUTO(vm_domain_freep) struct vm_domain *d = load("everything.xml", false);
	const struct vm_disk *k = d->disks.v[0];

	(void)state;
	assert_int_equal(d->disks.n, 6);
	assert_int_equal(k->type, VM_DISK_FILE);
	assert_int_equal(k->model, VM_VIRTIO_MODEL_NON_TRANSITIONAL);
	assert_int_equal(k->cache, VM_CACHE_NONE);
	assert_int_equal(k->io, VM_IO_NATIVE);
	assert_int_equal(k->detect_zeroes, VM_ZEROES_UNMAP);
	assert_int_equal(k->queues, 4);
	assert_int_equal(k->virtio.packed, VM_SWITCH_OFF);
	assert_string_equal(k->source->path, "/srv/a.qcow2");
	assert_int_equal(k->source->startup_policy, VM_STARTUP_OPTIONAL);
	assert_string_equal(k->backing->source->path, "/dev/vg/base");
	assert_non_null(k->backing->backing);
	assert_int_equal(k->backing->backing->type, VM_DISK_TYPE_NONE);
	assert_string_equal(k->dev.alias, "ua-system");
	assert_int_equal(k->dev.boot_order, 1);
	assert_true(vm_device_has_address(&k->dev, VM_ADDRESS_PCI));
	assert_int_equal(k->dev.address->bus, 4);
	assert_true(k->shareable && !k->readonly);
	k = d->disks.v[1];
	assert_int_equal(k->device, VM_DISK_LUN);
	assert_int_equal(k->dev.address->target, 3);
	k = d->disks.v[2];
	assert_null(k->dev.alias); /* made up by an earlier run */
	assert_int_equal(k->rotation_rate, 7200);
	assert_int_equal(k->trans, VM_TRANS_LBA);
	k = d->disks.v[3];
	assert_int_equal(k->type, VM_DISK_FILE);
	assert_int_equal(k->device, VM_DISK_CDROM);
	assert_null(k->source);
	k = d->disks.v[4];
	assert_string_equal(k->dev.address->usb_port, "1.2");
	assert_true(k->transient);
	assert_int_equal(k->share_backing, VM_SWITCH_ON);
	assert_int_equal(((struct vm_disk *)d->disks.v[5])->bus, VM_BUS_NONE);
}

static void controllers_and_interfaces(void **state)
{
	VM_AUTO(vm_domain_freep) struct vm_domain *d = load("everything.xml", false);
	const struct vm_controller *c = d->controllers.v[0];
	const struct vm_interface *f = d->interfaces.v[0];

	(void)state;
	assert_int_equal(c->model, VM_PCIE_ROOT);
	assert_int_equal(c->pcihole64, 1 << 30);
	c = d->controllers.v[1];
	assert_int_equal(c->pci_name, VM_PCI_NAME_PCIE_ROOT_PORT);
	assert_int_equal(c->chassis, 1);
	assert_int_equal(c->port, 0x10);
	assert_int_equal(c->hotplug, VM_SWITCH_OFF);
	assert_int_equal(c->dev.address->multifunction, VM_SWITCH_ON);
	c = d->controllers.v[2];
	assert_int_equal(c->model, VM_SCSI_VIRTIO);
	assert_int_equal(c->max_sectors, 512);
	c = d->controllers.v[3];
	assert_int_equal(c->model, VM_USB_QEMU_XHCI);
	assert_int_equal(c->ports, 15);

	assert_int_equal(f->kind, VM_INTERFACE_BRIDGE);
	assert_string_equal(f->source->bridge, "br0");
	assert_int_equal(f->mac[5], 0x56);
	assert_int_equal(f->model, VM_NET_VIRTIO);
	assert_int_equal(f->driver, VM_NET_DRIVER_VHOST);
	assert_int_equal(f->host.mrg_rxbuf, VM_SWITCH_ON);
	assert_int_equal(f->guest.tso4, VM_SWITCH_OFF);
	assert_string_equal(f->dev.rom->file, "/srv/rom.bin");
	assert_int_equal(f->dev.acpi_index, 3);
	assert_int_equal(f->link, VM_LINK_DOWN);
	assert_int_equal(f->mtu, 9000);
	assert_int_equal(f->rx_frames, 7);
	f = d->interfaces.v[1];
	assert_int_equal(f->ips.n, 2);
	assert_false(mt_is_set(&f->dev.obj, VM_INTERFACE_BIT_MAC));
	f = d->interfaces.v[2];
	assert_null(f->target); /* a name a run made up */
	assert_string_equal(f->script, "/etc/up");
}

static void character_devices(void **state)
{
	VM_AUTO(vm_domain_freep) struct vm_domain *d = load("everything.xml", false);
	const struct vm_char *c = d->serials.v[0];

	(void)state;
	assert_int_equal(c->type, VM_CHARDEV_PTY);
	assert_null(c->backend->path); /* live only */
	assert_int_equal(c->target_type, VM_SERIAL_ISA);
	c = d->serials.v[1];
	assert_string_equal(c->backend->service, "9999");
	assert_int_equal(c->backend->protocol, VM_PROTOCOL_TELNET);
	assert_int_equal(c->backend->reconnect_timeout, 10);
	assert_string_equal(c->backend->log_file, "/var/log/s1");
	c = d->serials.v[2];
	assert_int_equal(c->backend->sources.n, 2);
	c = d->consoles.v[1];
	assert_int_equal(c->target_type, VM_CONSOLE_VIRTIO);
	assert_int_equal(c->backend->append, VM_SWITCH_ON);
	c = d->channels.v[0];
	assert_int_equal(c->backend->mode, VM_CHARDEV_BIND);
	assert_string_equal(c->target_name, "org.qemu.guest_agent.0");
	assert_int_equal(c->dev.address->port, 1);
}

static void small_devices(void **state)
{
	VM_AUTO(vm_domain_freep) struct vm_domain *d = load("everything.xml", false);
	const struct vm_graphics *g = d->graphics.v[0];
	const struct vm_video *v = d->videos.v[0];
	const struct vm_memballoon *m = d->memballoons.v[0];
	const struct vm_rng *r = d->rngs.v[0];

	(void)state;
	assert_int_equal(g->vnc->port, -1);
	assert_string_equal(g->vnc->passwd, "secret12");
	assert_string_equal(((struct vm_listen *)g->vnc->listens.v[0])->address, "127.0.0.1");
	assert_int_equal(v->kind, VM_VIDEO_QXL);
	assert_int_equal(v->vgamem, 16384);
	assert_int_equal(v->x, 1280);
	assert_int_equal(((struct vm_video *)d->videos.v[1])->virtio.iommu, VM_SWITCH_ON);
	assert_int_equal(m->stats_period_s, 10);
	assert_int_equal(m->free_page_reporting, VM_SWITCH_OFF);
	assert_int_equal(r->rate_period_ms, 2000);
	assert_string_equal(r->path, "/dev/urandom");
	assert_int_equal(((struct vm_input *)d->inputs.v[1])->bus, VM_INPUT_BUS_VIRTIO);
	assert_int_equal(((struct vm_watchdog *)d->watchdogs.v[0])->action, VM_WATCHDOG_POWEROFF);
	assert_int_equal(((struct vm_panic *)d->panics.v[0])->model, VM_PANIC_PVPANIC);
	assert_int_equal(vm_domain_iommu(d)->model, VM_IOMMU_INTEL);
	assert_int_equal(vm_domain_iommu(d)->aw_bits, 48);
	assert_int_equal(vm_domain_iommu(d)->iotlb, VM_SWITCH_ON);
	assert_int_equal(vm_domain_iommu(d)->dma_translation, VM_SWITCH_ABSENT);
}

static void live_document(void **state)
{
	VM_AUTO(vm_domain_freep) struct vm_domain *d = load("everything.xml", true);

	(void)state;
	assert_string_equal(((struct vm_disk *)d->disks.v[2])->dev.alias, "sata0-0-0");
	assert_string_equal(((struct vm_char *)d->serials.v[0])->backend->path, "/dev/pts/3");
	assert_string_equal(((struct vm_interface *)d->interfaces.v[2])->target, "vnet7");
}

static void filled(void **state)
{
	VM_AUTO(vm_domain_freep)
	struct vm_domain *d =
	    parse("<domain type='qemu'><name>a</name><memory>1</memory><genid/>"
		  "<os><type machine='q35'>hvm</type></os><devices>"
		  "<interface type='user'/><interface type='user'>"
		  "<mac address='52:54:00:00:00:01'/></interface><interface type='user'/>"
		  "<disk><source file='/a'/><target dev='hda'/></disk>"
		  "<disk><source file='/a'/><target dev='hdb' bus='usb'/></disk>"
		  "</devices></domain>",
		  false);
	const struct vm_interface *x, *y;
	const struct vm_disk *k;

	(void)state;
	assert_non_null(d);
	assert_int_equal(vm_domain_fill(d, &err), 0);
	assert_true(mt_is_set(&d->obj, VM_DOMAIN_BIT_UUID));
	assert_int_equal(d->uuid[6] >> 4, 4);
	assert_int_equal(d->uuid[8] >> 6, 2);
	assert_int_equal(d->genid->uuid[6] >> 4, 4);
	x = d->interfaces.v[0];
	y = d->interfaces.v[2];
	assert_memory_equal(x->mac, ((const uint8_t[]){0x52, 0x54, 0}), 3);
	assert_memory_not_equal(x->mac, y->mac, 6);
	assert_true(x->dev.obj.ours >> VM_INTERFACE_BIT_MAC & 1);
	y = d->interfaces.v[1];
	assert_int_equal(y->mac[5], 1);
	assert_int_equal(y->dev.obj.ours, 0);
	k = d->disks.v[0];
	assert_int_equal(k->bus, VM_BUS_SATA);
	k = d->disks.v[1];
	assert_int_equal(k->bus, VM_BUS_USB);
	assert_int_equal(k->dev.obj.ours, 0);
}

static void target_names(void **state)
{
	(void)state;
	assert_int_equal(vm_disk_target_index("vda"), 0);
	assert_int_equal(vm_disk_target_index("sdz"), 25);
	assert_int_equal(vm_disk_target_index("sdaa"), 26);
	assert_int_equal(vm_disk_target_index("sdab"), 27);
	assert_int_equal(vm_disk_target_index("hdb1"), 1);
	assert_int_equal(vm_disk_target_index("vd"), -1);
	assert_int_equal(vm_disk_target_index("vd1"), -1);
	assert_int_equal(vm_disk_target_index("vdA"), -1);
	assert_int_equal(vm_disk_target_index("foo"), -1);
	assert_int_equal(vm_disk_target_index("sdzzzzzzzzzzzzzz"), -1);
	assert_int_equal(vm_disk_bus_of_target("hdc", false), VM_BUS_IDE);
	assert_int_equal(vm_disk_bus_of_target("hdc", true), VM_BUS_SATA);
	assert_int_equal(vm_disk_bus_of_target("vdc", true), VM_BUS_VIRTIO);
}

/* What is wrong, and what is said about it.  Each is one line, in place of %s. */
struct refusal {
	const char *devices, *other;
	enum vm_kind kind;
	const char *message;
};
#define DISK(inner) "<disk><source file='/a'/>" inner "</disk>"
static const struct refusal refusals[] = {
    /* devices: line 6, column 1 on; other: line 4 */
    {"<disk/>", "", VM_BAD_INPUT, "6:1: <disk> lacks <target> attribute 'dev'"},
    {DISK("<target dev='foo'/>"), "", VM_BAD_INPUT, "6:34: 'foo' is no disk name"},
    {DISK("<target dev='vda1'/>"), "", VM_BAD_INPUT, "6:34: 'vda1' names a partition"},
    {DISK("<target dev='xvda'/>"), "", VM_UNSUPPORTED, "bus 'xen' is not supported yet"},
    {"<disk><target dev='vda'/></disk>", "", VM_BAD_INPUT, "6:1: disk 'vda' has no source"},
    {"<disk device='cdrom'><target dev='vda'/></disk>", "", VM_BAD_INPUT,
     "a cdrom cannot be on bus 'virtio'"},
    {"<disk type='network'><target dev='vda'/></disk>", "", VM_UNSUPPORTED,
     "6:7: <disk> attribute 'type': 'network' is not supported yet"},
    {"<disk type='blokc'><target dev='vda'/></disk>", "", VM_BAD_INPUT, "'blokc' is not known"},
    {"<disk><source dev='/a'/><target dev='vda'/></disk>", "", VM_BAD_INPUT,
     "only with type='block'"},
    {"<disk><source file='a'/><target dev='vda'/></disk>", "", VM_BAD_INPUT,
     "'a' is not an absolute path"},
    {DISK("<target dev='vda' bus='virtio'/>") DISK("<target dev='vda' bus='sata'/>"), "",
     VM_BAD_INPUT, "target 'vda' is used for two disks"},
    {DISK("<target dev='sda' bus='sata'/><address type='drive' unit='1'/>")
	 DISK("<target dev='sdb' bus='sata'/><address type='drive' unit='1'/>"),
     "", VM_BAD_INPUT, "disks 'sda' and 'sdb' have the same address"},
    {DISK("<target dev='sda' bus='sata'/><address type='pci'/>"), "", VM_BAD_INPUT,
     "a disk on bus 'sata' has no pci address"},
    {DISK("<target dev='vda'/><address type='pci' slot='0x20'/>"), "", VM_BAD_INPUT,
     "6:65: <address> attribute 'slot': 0x20 is not within 0 to 31"},
    {DISK("<target dev='vda'/><driver iothread='1'/>"), "", VM_BAD_INPUT,
     "there is no I/O thread 1"},
    {DISK("<target dev='sda' bus='sata'/><driver queues='2'/>"), "", VM_BAD_INPUT,
     "attribute queues is only for bus='virtio'"},
    {DISK("<target dev='sda' bus='sata'/><driver iommu='on'/>"), "", VM_BAD_INPUT,
     "attribute iommu is only for virtio devices"},
    {DISK("<target dev='vda'/><driver io='native'/>"), "", VM_BAD_INPUT,
     "io='native' needs cache='none'"},
    {DISK("<target dev='vda'/><driver type='iso'/>"), "", VM_UNSUPPORTED,
     "image format 'iso' is not supported"},
    {DISK("<target dev='vda'/><encryption/>"), "", VM_UNSUPPORTED,
     "6:45: <encryption> in <disk> is not supported yet"},
    {DISK("<target dev='vda'/><serial>a,b</serial>"), "", VM_BAD_INPUT, "<serial> 'a,b'"},
    {DISK("<target dev='vda'/><boot order='1'/>") DISK("<target dev='vdb'/><boot order='1'/>"), "",
     VM_BAD_INPUT, "boot order 1 is used for two devices"},
    {DISK("<target dev='vda'/><boot order='0'/>"), "", VM_BAD_INPUT, "'order': 0 is not within"},
    {DISK("<target dev='vda'/><boot order='1'/>"), "<os><type>hvm</type><boot dev='hd'/></os>",
     VM_BAD_INPUT, "cannot be used together with <boot dev>"},
    {DISK("<target dev='vda'/><alias name='ua-a'/>")
	 DISK("<target dev='vdb'/><alias name='ua-a'/>"),
     "", VM_BAD_INPUT, "alias 'ua-a' is used for two devices"},
    {DISK("<target dev='vda'/><alias name='ua-a b'/>"), "", VM_BAD_INPUT, "alias 'ua-a b' may"},
    {"<controller type='pci' index='1' model='qemu-xhci'/>", "", VM_BAD_INPUT,
     "6:34: 'qemu-xhci' is no model of a pci controller"},
    {"<controller type='usb' index='0'/><controller type='usb' index='0' model='ehci'/>", "",
     VM_BAD_INPUT, "two usb controllers with index 0"},
    {"<controller type='usb' model='none'/><input type='mouse' bus='usb'/>", "", VM_BAD_INPUT,
     "USB is switched off"},
    {"<controller type='sata' ports='3'/>", "", VM_BAD_INPUT,
     "attribute ports is only for type='usb' and type='virtio-serial'"},
    {"<controller type='pci' index='2' model='pci-root'/>", "", VM_BAD_INPUT,
     "controller pci-root must have index 0"},
    {"<interface type='network'><source network='default'/></interface>", "", VM_UNSUPPORTED,
     "6:12: <interface> attribute 'type': 'network' is not supported yet"},
    {"<interface type='bridge'/>", "", VM_BAD_INPUT, "needs <source bridge='...'/>"},
    {"<interface type='user'><mac address='53:54:00:00:00:01'/></interface>", "", VM_BAD_INPUT,
     "53:54:00:00:00:01 is a multicast address"},
    {"<interface type='user'><model type='e1000'/><driver rss='on'/></interface>", "", VM_BAD_INPUT,
     "attribute rss is only for virtio models"},
    {"<serial type='unix'/>", "", VM_BAD_INPUT, "needs <source path='...'/>"},
    {"<serial type='tcp'><source host='a'/></serial>", "", VM_BAD_INPUT, "a tcp device needs"},
    {"<graphics type='spice'/>", "", VM_UNSUPPORTED, "'spice' is not supported yet"},
    {"<graphics type='vnc' port='80'/>", "", VM_BAD_INPUT, "VNC port 80 is not in 5900-65535"},
    {"<graphics type='vnc' passwd='123456789'/>", "", VM_BAD_INPUT, "at most 8 characters"},
    {"<graphics type='vnc' passwd='a' passwdValidTo='soon'/>", "", VM_BAD_INPUT,
     "passwdValidTo needs"},
    {"<graphics type='vnc' passwd='a' connected='fail'/>", "", VM_UNSUPPORTED, "'keep' only"},
    {"<serial type='tcp'><source host='a' service='1' tls='yes'/></serial>", "", VM_UNSUPPORTED,
     "TLS is not supported yet"},
    {DISK("<target dev='vda'/><boot order='1' loadparm='x'/>"), "", VM_UNSUPPORTED,
     "for s390 guests only"},
    {"<interface type='user'><address type='dimm' slot='1'/></interface>", "", VM_BAD_INPUT,
     "this <interface> can have no dimm address"},
    {"<input type='tablet' bus='usb'><address type='pci' bus='1'/></input>", "", VM_BAD_INPUT,
     "this <input> can have no pci address"},
    {"<memballoon model='virtio'/><memballoon model='none'/>", "", VM_BAD_INPUT,
     "one <memballoon> only"},
    {"<watchdog model='diag288'/>", "", VM_UNSUPPORTED, "'diag288' is not supported yet"},
    {"<iommu/>", "", VM_BAD_INPUT, "<iommu> lacks attribute 'model'"},
    {"<iommu model='amd'/>", "", VM_UNSUPPORTED, "'amd' is not supported yet"},
    {"<iommu model='intel'/><iommu model='intel'/>", "", VM_BAD_INPUT, "one <iommu> only"},
    {"<iommu model='intel'><address type='pci' bus='0' slot='5'/></iommu>", "", VM_BAD_INPUT,
     "this <iommu> can have no pci address"},
    {"<iommu model='virtio'><address type='virtio-mmio'/></iommu>", "", VM_BAD_INPUT,
     "this <iommu> can have no virtio-mmio address"},
    {"<iommu model='virtio'><driver intremap='on'/></iommu>", "", VM_BAD_INPUT,
     "attribute intremap is only for model='intel'"},
    {"<iommu model='smmuv3'/>", "", VM_UNSUPPORTED, "'smmuv3' is not supported yet"},
    {"<iommu model='virtio'><driver aw_bits='48'/></iommu>", "", VM_BAD_INPUT,
     "attribute aw_bits is only for model='intel'"},
    {"<iommu model='intel'><acpi index='1'/></iommu>", "", VM_BAD_INPUT, "attribute index is only for model='virtio'"},
    {"<iommu model='virtio'><driver dma_translation='off'/></iommu>", "", VM_BAD_INPUT,
     "attribute dma_translation is only for model='intel'"},
    {"<iommu model='intel'><driver eim='on'/></iommu>", "", VM_BAD_INPUT, "needs interrupt remapping"},
    {"<iommu model='intel'><driver aw_bits='0'/></iommu>", "", VM_BAD_INPUT, "0 is not within"},
    {"<iommu model='intel'><driver passthrough='on'/></iommu>", "", VM_UNSUPPORTED, "'passthrough' is not supported yet"},
    {"<disk type='nvme'><source type='pci'><address bus='1' slot='0' function='0'/></source><target dev='vda'/></disk>", "", VM_BAD_INPUT, "namespace"},
    {"<disk type='nvme'><source type='pci' namespace='0'><address bus='1' slot='0' function='0'/></source><target dev='vda'/></disk>", "", VM_BAD_INPUT, "0 is not within"},
    {"<disk type='nvme'><source type='pci' namespace='1'/><target dev='vda'/></disk>", "", VM_BAD_INPUT, "<address>"},
    {"<disk type='nvme' device='cdrom'><source type='pci' namespace='1'><address bus='1' slot='0' function='0'/></source><target dev='sda'/></disk>", "", VM_BAD_INPUT, "needs device='disk'"},
    {"<disk type='nvme'><source file='/a'/><target dev='vda'/></disk>", "", VM_BAD_INPUT, "<source>"},
    {"<disk type='nvme'><source type='pci' namespace='1'><address bus='1' slot='0' function='0'/></source><target dev='vda'/></disk><disk type='nvme'><source type='pci' namespace='1'><address bus='1' slot='0' function='0'/></source><target dev='vdb'/></disk>", "", VM_BAD_INPUT, "disk 'vda' has this namespace, too"},
    {"<disk type='nvme'><source type='pci' namespace='1'><address bus='1' slot='0' function='0'/></source><target dev='vda'/></disk><hostdev type='pci'><source><address bus='1' slot='0' function='0'/></source></hostdev>", "", VM_BAD_INPUT, "0000:01:00.0 is given to this guest twice"},
    {"<disk><source file='/a'/><backingStore type='nvme'><format type='raw'/><source type='pci' namespace='1'><address bus='1' slot='0' function='0'/></source></backingStore><target dev='vda'/></disk>", "", VM_UNSUPPORTED, "not supported below a disk"},
    {"<interface type='hostdev'/>", "", VM_BAD_INPUT, "needs <source><address"},
    {"<interface type='hostdev'><source bridge='b'/></interface>", "", VM_BAD_INPUT, "lacks <address>"},
    {"<interface type='hostdev'><source><address type='pci' bus='3' slot='7' function='1'/></source><mtu size='9000'/></interface>", "", VM_BAD_INPUT, "has no <mtu>"},
    {"<interface type='hostdev'><source><address type='pci' bus='3' slot='7' function='1'/></source><driver name='vhost'/></interface>", "", VM_BAD_INPUT, "of a host device is vfio"},
    {"<interface type='user'><driver name='vfio'/></interface>", "", VM_BAD_INPUT, "is for type='hostdev'"},
    {"<interface type='user' managed='yes'/>", "", VM_BAD_INPUT, "only for type='hostdev'"},
    {"<interface type='hostdev'><source><address type='pci' bus='3' slot='7' function='1'/></source><vlan trunk='yes'><tag id='1'/></vlan></interface>", "", VM_BAD_INPUT, "one VLAN"},
    {"<interface type='hostdev'><source><address type='pci' bus='3' slot='7' function='1'/></source><vlan><tag id='1'/><tag id='2'/></vlan></interface>", "", VM_BAD_INPUT, "one VLAN"},
    {"<interface type='hostdev'><source><address type='pci' bus='3' slot='7' function='1'/></source><vlan><tag id='4096'/></vlan></interface>", "", VM_BAD_INPUT, "4096 is not within"},
    {"<interface type='bridge'><source bridge='b'/><vlan><tag id='1'/></vlan></interface>", "", VM_UNSUPPORTED, "<vlan> is not supported yet"},
    {"<interface type='hostdev'><source><address type='pci' bus='3' slot='7' function='1'/></source><virtualport type='802.1Qbg'/></interface>", "", VM_UNSUPPORTED, "<virtualport>"},
    {"<interface type='hostdev'><source><address type='pci' bus='3' slot='7' function='1'/></source><teaming type='transient' persistent='ua-x'/></interface>", "", VM_BAD_INPUT, "no interface with alias 'ua-x'"},
    {"<interface type='hostdev'><source><address type='pci' bus='3' slot='7' function='1'/></source></interface><interface type='hostdev'><source><address type='pci' bus='3' slot='7' function='1'/></source></interface>", "", VM_BAD_INPUT, "0000:03:07.1 is given to this guest twice"},
    {"<interface type='network'><source network='default'/></interface>", "", VM_UNSUPPORTED, "'network' is not supported yet"},
    {"<hostdev mode='subsystem'/>", "", VM_BAD_INPUT,
     "6:1: <hostdev> lacks attribute 'type'"},
    {"<hostdev type='pci'/>", "", VM_BAD_INPUT,
     "6:1: <hostdev> lacks <source>"},
    {"<hostdev mode='capabilities' type='misc'/>", "", VM_UNSUPPORTED,
     "'capabilities' is not supported yet"},
    {"<hostdev type='isa'><source><address domain='0x0000' bus='0x06' slot='0x12' function='0x5'/></source></hostdev>", "", VM_BAD_INPUT,
     "'isa'"},
    {"<hostdev type='pci'><source><address bus='0' slot='0' function='1'/></source></hostdev>", "", VM_BAD_INPUT,
     "0000:00:00.1 is the host's own bridge"},
    {"<hostdev type='pci'><source><address bus='0x100' slot='0' function='0'/></source></hostdev>", "", VM_BAD_INPUT,
     "0x100 is not within 0 to 255"},
    {"<hostdev type='pci'><source><address bus='1' slot='0x20' function='0'/></source></hostdev>", "", VM_BAD_INPUT,
     "0x20 is not within 0 to 31"},
    {"<hostdev type='pci'><source><address bus='1' slot='0' function='8'/></source></hostdev>", "", VM_BAD_INPUT,
     "8"},
    {"<hostdev type='pci'><source><address slot='1' function='0'/></source></hostdev>", "", VM_BAD_INPUT,
     "'bus'"},
    {"<hostdev type='pci'><source writeFiltering='no'><address bus='6' slot='0' function='0'/></source></hostdev>", "", VM_UNSUPPORTED,
     "writeFiltering is Xen's"},
    {"<hostdev type='pci'><driver name='kvm'/><source><address domain='0x0000' bus='0x06' slot='0x12' function='0x5'/></source></hostdev>", "", VM_UNSUPPORTED,
     "'kvm' is not supported yet"},
    {"<hostdev type='pci' model='vfio-pci'><source><address domain='0x0000' bus='0x06' slot='0x12' function='0x5'/></source></hostdev>", "", VM_BAD_INPUT,
     "attribute model is only for type='mdev' and type='scsi_host'"},
    {"<hostdev type='pci'><source startupPolicy='optional'><address bus='6' slot='0' function='0'/></source></hostdev>", "", VM_BAD_INPUT,
     "only with type='usb'"},
    {"<hostdev type='pci'><source><address domain='0x0000' bus='0x06' slot='0x12' function='0x5'/></source><shareable/></hostdev>", "", VM_BAD_INPUT,
     "<shareable> is only for type='scsi'"},
    {"<hostdev type='pci'><source><address domain='0x0000' bus='0x06' slot='0x12' function='0x5'/></source><address type='usb' bus='0' port='1'/></hostdev>", "", VM_BAD_INPUT,
     "this <hostdev> can have no usb address"},
    {"<hostdev type='pci'><source><address domain='0x0000' bus='0x06' slot='0x12' function='0x5'/></source></hostdev><hostdev type='pci'><source><address domain='0x0000' bus='0x06' slot='0x12' function='0x5'/></source></hostdev>", "", VM_BAD_INPUT,
     "host device 0000:06:12.5 is given to this guest twice"},
    {"<hostdev type='pci'><source><address domain='0x0000' bus='0x06' slot='0x12' function='0x5'/></source><teaming type='transient' persistent='ua-no'/></hostdev>", "", VM_BAD_INPUT,
     "there is no interface with alias 'ua-no'"},
    {"<hostdev type='pci'><source><address domain='0x0000' bus='0x06' slot='0x12' function='0x5'/></source><teaming type='transient'/></hostdev>", "", VM_BAD_INPUT,
     "needs persistent='ALIAS'"},
    {"<hostdev type='pci'><source><address domain='0x0000' bus='0x06' slot='0x12' function='0x5'/></source><teaming type='persistent'/></hostdev>", "", VM_BAD_INPUT,
     "the transient one of a team"},
    {"<hostdev type='usb'><source><vendor id='0x1234'/></source></hostdev>", "", VM_BAD_INPUT,
     "<vendor> and <product> go together"},
    {"<hostdev type='usb'><source><vendor id='0'/><product id='1'/></source></hostdev>", "", VM_BAD_INPUT,
     "vendor cannot be 0"},
    {"<hostdev type='usb'><source><address bus='1'/></source></hostdev>", "", VM_BAD_INPUT,
     "bus and device of a USB device go together"},
    {"<hostdev type='usb'><source/></hostdev>", "", VM_BAD_INPUT,
     "a USB device is named by"},
    {"<hostdev type='usb'><source><address bus='1' device='2'/></source><address type='unassigned'/></hostdev>", "", VM_BAD_INPUT,
     "'unassigned' is only for type='pci'"},
    {"<hostdev type='usb'><source><address bus='1' device='2'/></source><rom bar='on'/></hostdev>", "", VM_BAD_INPUT,
     "<rom> is for devices on the PCI bus"},
    {"<hostdev type='usb'><source><address bus='1' device='2'/></source></hostdev><hostdev type='usb'><source><vendor id='1'/><product id='2'/><address bus='1' device='2'/></source></hostdev>", "", VM_BAD_INPUT,
     "usb:001:002 is given to this guest twice"},
    {"<hostdev type='scsi' sgio='unfiltered'><source><adapter name='scsi_host0'/><address bus='0' target='0' unit='0'/></source></hostdev>", "", VM_UNSUPPORTED,
     "'unfiltered' is not supported yet"},
    {"<hostdev type='scsi'><source><adapter name='fc_host0'/><address bus='0' target='0' unit='0'/></source></hostdev>", "", VM_BAD_INPUT,
     "needs <adapter name='scsi_hostN'/>"},
    {"<hostdev type='scsi'><source><adapter name='scsi_host0'/></source></hostdev>", "", VM_BAD_INPUT,
     "needs <address bus='' target='' unit=''/>"},
    {"<hostdev type='scsi'><source protocol='iscsi' name='iqn.x'/></hostdev>", "", VM_BAD_INPUT,
     "needs a name and one <host>"},
    {"<hostdev type='scsi_host'><source protocol='vhost' wwpn='naa.123'/></hostdev>", "", VM_BAD_INPUT,
     "'naa.123' is no wwpn"},
    {"<hostdev type='scsi_host'><source protocol='vhost' wwpn='naa.5123456789abcde0'/><boot order='1'/></hostdev>", "", VM_BAD_INPUT,
     "cannot boot from a vhost-scsi target"},
    {"<hostdev type='mdev'><source><address uuid='53764d0e-85a0-42b4-af5c-2046b460b1dc'/></source></hostdev>", "", VM_BAD_INPUT,
     "needs model='vfio-pci'"},
    {"<hostdev type='mdev' model='vfio-ap'><source><address uuid='53764d0e-85a0-42b4-af5c-2046b460b1dc'/></source></hostdev>", "", VM_UNSUPPORTED,
     "'vfio-ap' is not supported yet"},
    {"<hostdev type='mdev' model='vfio-pci' display='on'><source><address uuid='53764d0e-85a0-42b4-af5c-2046b460b1dc'/></source></hostdev>", "", VM_BAD_INPUT,
     "display='on' needs a <graphics>"},
    {"<hostdev type='mdev' model='vfio-pci'><source><address uuid='x'/></source></hostdev>", "", VM_BAD_INPUT,
     "'x'"},
    {"<hostdev type='mdev' model='vfio-pci' ramfb='on'><source><address uuid='53764d0e-85a0-42b4-af5c-2046b460b1dc'/></source></hostdev>", "", VM_BAD_INPUT,
     "ramfb='on' needs display='on'"},
    {"<disk type='block'><source dev='/dev/x'/><target dev='sda' bus='scsi'/><address type='drive' controller='0' bus='0' target='0' unit='0'/></disk><hostdev type='scsi'><source><adapter name='scsi_host0'/><address bus='0' target='0' unit='0'/></source><address type='drive' controller='0' bus='0' target='0' unit='0'/></hostdev>", "", VM_BAD_INPUT,
     "SCSI address 0:0:0:0 is also that of disk sda"},
    {"<rng model='virtio'><backend model='builtin'>/dev/random</backend></rng>", "", VM_BAD_INPUT,
     "only with backend model='random'"},
    {"", "<vcpu current='3'>2</vcpu>", VM_BAD_INPUT, "3 vCPUs now are more than the 2 at most"},
    {"", "<vcpu>0</vcpu>", VM_BAD_INPUT, "4:1: <vcpu>: 0 is not within 1 to 65535"},
    {"", "<vcpu>6</vcpu><cpu><topology sockets='1' cores='2' threads='2'/></cpu>", VM_BAD_INPUT,
     "make 4 vCPUs, but <vcpu> says 6"},
    {"", "<currentMemory>2000000</currentMemory>", VM_BAD_INPUT, "more than the memory"},
    {"", "<cpu><feature name='a'/></cpu>", VM_BAD_INPUT, "<feature> needs a <model>"},
    {"", "<cpu mode='custom'/>", VM_BAD_INPUT, "needs a <model>"},
    {"", "<cpu><model>a,b=c</model></cpu>", VM_BAD_INPUT, "'a,b=c' is no CPU model"},
    {"", "<clock offset='utc' timezone='x'/>", VM_BAD_INPUT, "only for offset='timezone'"},
    {"", "<on_poweroff>coredump-destroy</on_poweroff>", VM_BAD_INPUT, "only for <on_crash>"},
    {"", "<seclabel/>", VM_BAD_INPUT, "4:1: which security model is meant"},
    {"", "<seclabel type='static' model='dac'/>", VM_BAD_INPUT, "needs a <label>"},
    {"", "<seclabel type='static' model='dac'><label>root</label></seclabel>", VM_BAD_INPUT,
     "'root' is no USER:GROUP"},
    {"", "<seclabel type='dynamic' model='selinux'/>", VM_UNSUPPORTED,
     "4:11: a dynamic label of model 'selinux' is not supported"},
    {"", "<seclabel type='static' model='apparmor' relabel='yes'><label>x</label></seclabel>",
     VM_UNSUPPORTED, "relabel='yes' is not supported for model 'apparmor'"},
    {"", "<seclabel type='none' model='dac'/><seclabel type='none' model='dac'/>", VM_BAD_INPUT,
     "there are two <seclabel> of one model"},
    {"", "<commandline xmlns='http://libvirt.org/schemas/domain/qemu/1.0'/>", VM_UNSUPPORTED,
     "is not supported yet"},
    {"", "<os><type>xen</type></os>", VM_UNSUPPORTED, "os type 'xen' is not supported yet"},
    {"", "<os><type>hvm</type><cmdline>x</cmdline></os>", VM_BAD_INPUT, "without a <kernel>"},
    {"", "<os><type>hvm</type><loader type='pflash'>/a</loader></os>", VM_BAD_INPUT,
     "UEFI needs <acpi/>"},
};

static void refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < VM_COUNT(refusals); i++) {
		const struct refusal *r = &refusals[i];
		const char *os = strstr(r->other, "<os>") ? "" : "<os><type>hvm</type></os>";
		VM_AUTO_FREE char *text = vm_xasprintf("<domain type='qemu'>\n<name>a</name>\n"
						       "<memory>1048576</memory>\n%s\n%s<devices>\n"
						       "%s\n</devices></domain>",
						       r->other, os, r->devices);

		if (parse(text, false))
			fail_msg("accepted: %s %s", r->devices, r->other);
		if (!strstr(err.msg, r->message))
			fail_msg("says '%s', not '%s'", err.msg, r->message);
		if (strncmp(err.msg, "t.xml:", 6) != 0)
			fail_msg("no place: %s", err.msg);
		if (err.kind != r->kind)
			fail_msg("kind %d: %s", (int)err.kind, err.msg);
	}
}

static void head_refused(void **state)
{
	(void)state;
	assert_null(parse("<network/>", false));
	assert_string_equal(err.msg, "t.xml:1:1: <network> is no guest: a guest's document begins "
				     "with <domain>");
	assert_null(
	    parse("<domain type='qemu'><name>a</name><os><type>hvm</type></os></domain>", false));
	assert_string_equal(err.msg, "t.xml:1:1: <domain> lacks <memory>");
	assert_null(parse("<domain type='qemu'><name>a/b</name><memory>1</memory>"
			  "<os><type>hvm</type></os></domain>",
			  false));
	assert_int_equal(err.kind, VM_BAD_INPUT);
	assert_null(parse("<domain type='lxc'><name>a</name></domain>", false));
	assert_int_equal(err.kind, VM_UNSUPPORTED);
}

/* As many as nobody needs are refused before they are compared with each other. */
static void too_many(void **state)
{
	struct vm_strbuf b = VM_STRBUF_INIT;

	(void)state;
	vm_strbuf_puts(&b,
		       "<domain type='qemu'><name>a</name><memory>1</memory><os><type>hvm</type>"
		       "</os><devices>");
	for (unsigned i = 0; i < 4097; i++)
		vm_strbuf_puts(&b, "<input type='mouse'/>");
	vm_strbuf_puts(&b, "</devices></domain>");
	assert_null(parse(b.text, false));
	assert_non_null(strstr(err.msg, "more than 4096 <input>"));
	vm_strbuf_clear(&b);
	vm_strbuf_puts(&b,
		       "<domain type='qemu'><name>a</name><memory>1</memory><os><type>hvm</type>"
		       "</os><cpu><model>a</model>");
	for (unsigned i = 0; i < 1025; i++)
		vm_strbuf_printf(&b, "<feature name='f%u'/>", i);
	vm_strbuf_puts(&b, "</cpu></domain>");
	assert_null(parse(b.text, false));
	assert_non_null(strstr(err.msg, "more than 1024 <feature>"));
	vm_strbuf_free(&b);
}

/* Every row of every family has a bit of its own in its object, and a place of its own. */
static void check_bits(const struct mt_type *type)
{
	uint64_t seen = 0;

	for (uint16_t i = 0; i < type->n; i++) {
		const struct mt_row *row = &type->rows[i];

		assert_in_range(row->set, 0, 63);
		if (seen >> row->set & 1)
			fail_msg("%s: bit %u is used twice (%s)", type->elem, row->set, row->xml);
		seen |= UINT64_C(1) << row->set;
		if (row->off < sizeof(struct mt_obj) || row->off >= type->size)
			fail_msg("%s: %s is outside its object", type->elem, row->xml);
		for (uint16_t j = 0; j < i; j++)
			if (strcmp(type->rows[j].xml, row->xml) == 0)
				fail_msg("%s: %s twice", type->elem, row->xml);
	}
}

static void table_is_sound(void **state)
{
	(void)state;
	check_bits(&vm_domain_type);
	check_bits(&vm_os_type);
	check_bits(&vm_features_type);
	check_bits(&vm_cpu_type);
	check_bits(&vm_clock_type);
	for (unsigned i = 0; i < VM_FAMILIES; i++)
		check_bits(vm_families[i].type);
	for (unsigned i = 0; i < VM_CHARDEV_TYPES; i++)
		if (vm_chardev_by_type[i])
			check_bits(vm_chardev_by_type[i]);
}

static int teardown(void **state)
{
	(void)state;
	vm_xml_free(doc);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(head),
	    cmocka_unit_test(machine),
	    cmocka_unit_test(disks),
	    cmocka_unit_test(controllers_and_interfaces),
	    cmocka_unit_test(character_devices),
	    cmocka_unit_test(small_devices),
	    cmocka_unit_test(live_document),
	    cmocka_unit_test(filled),
	    cmocka_unit_test(target_names),
	    cmocka_unit_test(refused),
	    cmocka_unit_test(head_refused),
	    cmocka_unit_test(too_many),
	    cmocka_unit_test(table_is_sound),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
