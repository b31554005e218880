/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table engine: from documents into objects, and what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/strbuf.h>

#include "toy.h"

static struct vm_xml *doc;
static struct vm_err err;

static struct toy_guest *parse_as(const char *text, bool live)
{
	void *ret = NULL;

	vm_xml_free(doc);
	doc = NULL;
	err = VM_ERR_INIT;
	if (vm_xml_parse(text, strlen(text), "t.xml", &doc, &err) < 0)
		fail_msg("%s", err.msg);
	if (mt_parse(&toy_guest_type, doc, 0, live, &ret, &err) < 0)
		return NULL;
	return ret;
}

/* Wraps devices and other children into a guest. */
static struct toy_guest *parse(const char *inner)
{
	VM_AUTO_FREE char *text =
	    vm_xasprintf("<guest type='kvm'>\n<name>a</name>\n%s\n</guest>", inner);

	return parse_as(text, false);
}

static void refused(const char *inner, enum vm_kind kind, const char *message)
{
	struct toy_guest *g = parse(inner);

	if (g != NULL)
		fail_msg("accepted: %s", inner);
	assert_string_equal(err.msg, message);
	assert_int_equal(err.kind, kind);
}

static void everything(void **state)
{
	static const char text[] = "<guest type='qemu' xmlns:m='urn:m' m:note='x'>\n"
				   "  <name> web1\n </name>\n"
				   "  <uuid>6F1C0F0E8f0a-4a39-9d0e-0d2f5b1c7a11</uuid>\n"
				   "  <description>a &lt; b</description>\n"
				   "  <metadata><m:app v='1'><deep/></m:app></metadata>\n"
				   "  <memory unit='MiB'>2</memory>\n"
				   "  <vcpu cpuset='0-3,^2,8'>4</vcpu>\n"
				   "  <features><acpi/></features>\n"
				   "  <clock size='3'/>\n"
				   "  <m:extra><m:x/>text</m:extra>\n"
				   "  <devices>\n"
				   "    <emulator>/usr/bin/q</emulator>\n"
				   "    <disk type='file' device='cdrom'>\n"
				   "      <source file='/a' index='7'/>\n"
				   "      <target dev='vda'/>\n"
				   "      <driver cache='on'/>\n"
				   "      <readonly/>\n"
				   "      <address type='pci' bus='0x1f' slot='010'/>\n"
				   "      <tune weight='-7'><cpus>5</cpus><tune/></tune>\n"
				   "    </disk>\n"
				   "    <nic><mac address='52:54:0:AB:cd:0e'/></nic>\n"
				   "    <disk type='network'>\n"
				   "      <target dev='vdb'/>\n"
				   "      <source protocol='nbd' name='n'><host name='h1'/><host "
				   "name='h2' port='9'/></source>\n"
				   "    </disk>\n"
				   "    <screen type='vnc' port='-1'/>\n"
				   "    <screen type='spice'><listen tls='5'/></screen>\n"
				   "  </devices>\n"
				   "</guest>\n";
	struct toy_guest *g = parse_as(text, true);
	struct toy_disk *a, *b;
	struct toy_network *n;
	struct toy_nic *nic;
	static const uint8_t mac[] = {0x52, 0x54, 0, 0xab, 0xcd, 0x0e};

	(void)state;
	if (g == NULL)
		fail_msg("%s", err.msg);
	assert_int_equal(g->kind, 2);
	assert_string_equal(g->name, "web1");
	assert_int_equal(g->uuid[0], 0x6f);
	assert_int_equal(g->uuid[15], 0x11);
	assert_string_equal(g->description, "a < b");
	assert_string_equal(g->metadata,
			    "<metadata xmlns:m='urn:m'><m:app v='1'><deep/></m:app></metadata>");
	assert_string_equal(g->foreign, "<m:extra xmlns:m='urn:m'><m:x/>text</m:extra>");
	assert_int_equal(g->memory, 2 << 20);
	assert_int_equal(g->vcpus, 4);
	assert_int_equal(g->cpuset.nbits, 9);
	assert_int_equal(g->cpuset.bits[0], 0x10b);
	assert_true(g->acpi);
	assert_string_equal(g->clock, "utc");
	assert_false(mt_is_set(&g->obj, TOY_CLOCK));
	assert_int_equal(g->size, 3);
	assert_string_equal(g->emulator, "/usr/bin/q");
	assert_int_equal(g->disks.n, 2);
	a = g->disks.v[0];
	b = g->disks.v[1];
	assert_int_equal(a->device, 2);
	assert_int_equal(b->device, 1);
	assert_string_equal(((struct toy_file *)a->source)->file, "/a");
	assert_int_equal(a->index, 7);
	assert_string_equal(a->driver, "qemu");
	assert_true(a->cache);
	assert_true(a->readonly);
	assert_false(b->readonly);
	assert_int_equal(a->address_type, TOY_ADDRESS_PCI);
	assert_int_equal(a->address->bus, 0x1f);
	assert_int_equal(a->address->slot, 8);
	assert_int_equal(a->tune->weight, -7);
	assert_int_equal(a->tune->cpus.bits[0], 1 << 5);
	assert_non_null(a->tune->inner);
	assert_null(a->tune->inner->inner);
	n = b->source;
	assert_int_equal(n->hosts.n, 2);
	assert_int_equal(((struct toy_host *)n->hosts.v[0])->port, 10809);
	assert_int_equal(((struct toy_host *)n->hosts.v[1])->port, 9);
	assert_null(b->address);
	nic = g->nics.v[0];
	assert_memory_equal(nic->mac, mac, 6);
	assert_int_equal(
	    ((struct toy_display *)((struct toy_screen *)g->screens.v[0])->display)->port, -1);
	assert_int_equal(
	    ((struct toy_display *)((struct toy_screen *)g->screens.v[1])->display)->port, 5);
	mt_free(&toy_guest_type, g);
}

static void live_only_is_ignored(void **state)
{
	static const char text[] = "<guest type='kvm' id='3'><name>a</name></guest>";
	struct toy_guest *g = parse_as(text, false);

	(void)state;
	assert_non_null(g);
	assert_int_equal(g->id, 0);
	assert_false(mt_is_set(&g->obj, TOY_ID));
	mt_free(&toy_guest_type, g);
	g = parse_as(text, true);
	assert_non_null(g);
	assert_int_equal(g->id, 3);
	mt_free(&toy_guest_type, g);
}

static void unknown_parts(void **state)
{
	(void)state;
	refused("<foo/>", VM_UNSUPPORTED, "t.xml:3:1: <foo> in <guest> is not supported yet");
	refused("<vcpu  a='1'>1</vcpu>", VM_UNSUPPORTED,
		"t.xml:3:8: <vcpu> attribute 'a' is not supported yet");
	refused("<devices>\n  <disk type='file'><target dev='a' x='1'/></disk></devices>",
		VM_UNSUPPORTED, "t.xml:4:37: <target> attribute 'x' is not supported yet");
	refused("<devices>\n  <disk type='file'><target dev='a'><y/></target></disk></devices>",
		VM_UNSUPPORTED, "t.xml:4:37: <y> in <target> is not supported yet");
	refused("<features><acpi/><apic/></features>", VM_UNSUPPORTED,
		"t.xml:3:18: <apic> in <features> is not supported yet");
	refused("<devices>text</devices>", VM_BAD_INPUT,
		"t.xml:3:1: the text 'text' in <devices> means nothing");
	refused(
	    "<q:commandline xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'/>", VM_UNSUPPORTED,
	    "t.xml:3:1: <commandline> (namespace http://libvirt.org/schemas/domain/qemu/1.0) in "
	    "<guest> is not supported yet");
	refused("<devices><x:disk xmlns:x='urn:x'/></devices>", VM_UNSUPPORTED,
		"t.xml:3:10: <disk> (namespace urn:x) in <devices> is not supported yet");
	refused("<vcpu xmlns:x='urn:x' x:a='1'>1</vcpu>", VM_UNSUPPORTED,
		"t.xml:3:23: <vcpu> attribute 'a' (namespace urn:x) is not supported yet");
	refused("<memory>1</memory><vcpu>1</vcpu><memory>2</memory>", VM_BAD_INPUT,
		"t.xml:3:33: <memory> is given twice in <guest>");
	/* The first unknown in the document's order. */
	refused("<devices><disk type='file'><target dev='a'/><z/></disk></devices><foo/>",
		VM_UNSUPPORTED, "t.xml:3:45: <z> in <disk> is not supported yet");
}

static void names_of_other_cases(void **state)
{
	(void)state;
	refused("<devices><disk type='file'><target dev='a'/><source file='/a' name='b'/></disk>"
		"</devices>",
		VM_BAD_INPUT, "t.xml:3:63: <source> attribute 'name' only with type='network'");
	refused("<devices><disk type='file'><target dev='a'/><source file='/a'><host/></source>"
		"</disk></devices>",
		VM_BAD_INPUT, "t.xml:3:63: <host> in <source> only with type='network'");
	refused("<devices><disk type='vhost'><target dev='a'/><source file='/a'/></disk></devices>",
		VM_BAD_INPUT, "t.xml:3:54: <source> attribute 'file' only with type='file'");
	refused("<devices><disk type='file'><target dev='a'/><address type='pci' unit='1'/></disk>"
		"</devices>",
		VM_BAD_INPUT, "t.xml:3:65: <address> attribute 'unit' only with type='drive'");
	refused("<devices><disk type='file'><target dev='a'/><address unit='1'/></disk></devices>",
		VM_BAD_INPUT, "t.xml:3:54: <address> attribute 'unit' only with type='drive'");
	refused("<devices><screen type='spice' port='1'/></devices>", VM_BAD_INPUT,
		"t.xml:3:31: <screen> attribute 'port' only with type='vnc'");
	refused("<devices><screen type='vnc'><listen tls='1'/></screen></devices>", VM_BAD_INPUT,
		"t.xml:3:29: <listen> in <screen> only with type='spice'");
}

static void bad_values(void **state)
{
	static const struct {
		const char *inner, *message;
		enum vm_kind kind;
	} cases[] = {
	    {"<vcpu>x</vcpu>", "t.xml:3:1: <vcpu>: 'x' is not a number", VM_BAD_INPUT},
	    {"<vcpu></vcpu>", "t.xml:3:1: <vcpu>: '' is not a number", VM_BAD_INPUT},
	    {"<vcpu>-1</vcpu>", "t.xml:3:1: <vcpu>: '-1' is not a number", VM_BAD_INPUT},
	    {"<vcpu>18446744073709551616</vcpu>",
	     "t.xml:3:1: <vcpu>: '18446744073709551616' is too large", VM_BAD_INPUT},
	    {"<memory>18014398509481984</memory>",
	     "t.xml:3:1: <memory>: '18014398509481984' is too large", VM_BAD_INPUT},
	    {"<memory unit='EiB'>2</memory>",
	     "t.xml:3:1: <memory>: 2305843009213693952 bytes is more than 1152921504606846976",
	     VM_BAD_INPUT},
	    {"<memory unit='kb/s'>1</memory>", "t.xml:3:1: <memory>: unknown unit 'kb/s'",
	     VM_BAD_INPUT},
	    {"<uuid>6f1c0f0e-8f0a-4a39-9d0e-0d2f5b1c7a1</uuid>",
	     "t.xml:3:1: <uuid>: '6f1c0f0e-8f0a-4a39-9d0e-0d2f5b1c7a1' is not a UUID",
	     VM_BAD_INPUT},
	    {"<vcpu cpuset='3-1'>1</vcpu>",
	     "t.xml:3:7: <vcpu> attribute 'cpuset': '3-1' is not a set of CPUs", VM_BAD_INPUT},
	    {"<vcpu cpuset='99999999999'>1</vcpu>",
	     "t.xml:3:7: <vcpu> attribute 'cpuset': '99999999999' is not a set of CPUs",
	     VM_BAD_INPUT},
	    {"<devices><emulator>q</emulator></devices>",
	     "t.xml:3:10: <emulator>: 'q' is not an absolute path", VM_BAD_INPUT},
	    {"<devices><nic><mac address='1:2:3:4:5'/></nic></devices>",
	     "t.xml:3:20: <mac> attribute 'address': '1:2:3:4:5' is not a MAC address",
	     VM_BAD_INPUT},
	    {"<devices><disk type='nvme'/></devices>",
	     "t.xml:3:16: <disk> attribute 'type': 'nvme' is not known "
	     "(known: file, network, vhost)",
	     VM_BAD_INPUT},
	    {"<devices><disk type='file'><target/></disk></devices>",
	     "t.xml:3:10: <disk> lacks <target> attribute 'dev'", VM_BAD_INPUT},
	    {"<devices><disk><target dev='a'/></disk></devices>",
	     "t.xml:3:10: <disk> lacks attribute 'type'", VM_BAD_INPUT},
	    {"<devices><disk type='file'><target dev='a'/><driver cache='yes'/></disk></devices>",
	     "t.xml:3:53: <driver> attribute 'cache': 'yes' is neither 'on' nor 'off'",
	     VM_BAD_INPUT},
	    {"<devices><disk type='file'><target dev='a'/><address type='pci' bus='256'/></disk>"
	     "</devices>",
	     "t.xml:3:65: <address> attribute 'bus': 256 is not within 0 to 255", VM_BAD_INPUT},
	    {"<devices><disk type='file'><target dev='a'/><address type='pci' bus='09'/></disk>"
	     "</devices>",
	     "t.xml:3:65: <address> attribute 'bus': '09' is not a number", VM_BAD_INPUT},
	    {"<devices><disk type='file'><target dev='a'/><tune weight='-101'/></disk></devices>",
	     "t.xml:3:51: <tune> attribute 'weight': -101 is not within -100 to 100", VM_BAD_INPUT},
	    {"<devices><disk type='file' device='cdrom'><target dev='a'/>\n<driver queues='2'/>"
	     "</disk></devices>",
	     "t.xml:4:9: a cdrom has no queues", VM_BAD_INPUT},
	};

	(void)state;
	for (size_t i = 0; i < VM_COUNT(cases); i++)
		refused(cases[i].inner, cases[i].kind, cases[i].message);
}

static void units(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} cases[] = {
	    {"<memory>1</memory>", 1024},
	    {"<memory unit='b'>1</memory>", 1},
	    {"<memory unit='Bytes'>7</memory>", 7},
	    {"<memory unit='KB'>1</memory>", 1000},
	    {"<memory unit='k'>1</memory>", 1024},
	    {"<memory unit='M'>1</memory>", 1 << 20},
	    {"<memory unit='mb'>1</memory>", 1000000},
	    {"<memory unit='GiB'> 3 </memory>", UINT64_C(3) << 30},
	    {"<memory unit='t'>1</memory>", UINT64_C(1) << 40},
	    {"<memory unit='PiB'>1</memory>", UINT64_C(1) << 50},
	    {"<memory unit='E'>1</memory>", UINT64_C(1) << 60},
	};

	(void)state;
	for (size_t i = 0; i < VM_COUNT(cases); i++) {
		struct toy_guest *g = parse(cases[i].text);

		if (g == NULL)
			fail_msg("%s", err.msg);
		if (g->memory != cases[i].bytes)
			fail_msg("%s: %ju", cases[i].text, (uintmax_t)g->memory);
		mt_free(&toy_guest_type, g);
	}
}

static void too_many(void **state)
{
	struct vm_strbuf b = VM_STRBUF_INIT;

	(void)state;
	vm_strbuf_puts(&b, "<devices>");
	for (unsigned i = 0; i < MT_MAX_ITEMS; i++)
		vm_strbuf_puts(&b, "<nic/>");
	vm_strbuf_puts(&b, "<nic/></devices>");
	refused(b.text, VM_BAD_INPUT, "t.xml:3:24586: more than 4096 <nic> in <devices>");
	vm_strbuf_free(&b);
}

static void lists(void **state)
{
	struct mt_list list = {0};
	int numbers[40];

	(void)state;
	for (int i = 0; i < 40; i++)
		mt_list_add(&list, &numbers[i]);
	for (int i = 0; i < 36; i++)
		mt_list_remove(&list, 1);
	assert_int_equal(list.n, 4);
	assert_ptr_equal(list.v[0], &numbers[0]);
	assert_ptr_equal(list.v[1], &numbers[37]);
	for (int i = 0; i < 30; i++)
		mt_list_add(&list, &numbers[i]);
	assert_int_equal(list.n, 34);
	assert_ptr_equal(list.v[33], &numbers[29]);
	free(list.v);
}

static void copies(void **state)
{
	struct toy_guest *g =
	    parse("<devices><disk type='network'><source name='n'><host name='h'/>"
		  "</source><target dev='a'/><address type='pci' bus='1'/></disk>"
		  "</devices><vcpu cpuset='3'>1</vcpu>");
	struct toy_guest *c;

	(void)state;
	assert_non_null(g);
	c = mt_copy(&toy_guest_type, g);
	mt_free(&toy_guest_type, g);
	assert_int_equal(((struct toy_disk *)c->disks.v[0])->address->bus, 1);
	mt_free(&toy_guest_type, c);
}

static int cleanup(void **state)
{
	(void)state;
	vm_xml_free(doc);
	doc = NULL;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(everything),    cmocka_unit_test(live_only_is_ignored),
	    cmocka_unit_test(unknown_parts), cmocka_unit_test(names_of_other_cases),
	    cmocka_unit_test(bad_values),    cmocka_unit_test(units),
	    cmocka_unit_test(too_many),	     cmocka_unit_test(lists),
	    cmocka_unit_test(copies),
	};

	return cmocka_run_group_tests(tests, NULL, cleanup);
}
