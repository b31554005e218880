/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table engine: text from objects, splices into documents, carry-over, differences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/strbuf.h>

#include "toy.h"

static const char full[] = "<guest type='qemu' id='4'>\n"
			   "  <name>web1</name>\n"
			   "  <uuid>6f1c0f0e-8f0a-4a39-9d0e-0d2f5b1c7a11</uuid>\n"
			   "  <description>a &lt; &quot;b&quot;</description>\n"
			   "  <metadata><m:app xmlns:m='urn:m' v='1'/></metadata>\n"
			   "  <memory unit='KiB'>2048</memory>\n"
			   "  <vcpu cpuset='0-1,3,8'>4</vcpu>\n"
			   "  <features>\n"
			   "    <acpi/>\n"
			   "  </features>\n"
			   "  <clock offset='utc' size='3'/>\n"
			   "  <devices>\n"
			   "    <emulator>/usr/bin/q</emulator>\n"
			   "    <disk type='file' device='cdrom'>\n"
			   "      <driver cache='on'/>\n"
			   "      <source file='/a&apos;b' index='7'/>\n"
			   "      <target dev='vda'/>\n"
			   "      <secret value='s3'/>\n"
			   "      <readonly/>\n"
			   "      <tune weight='-7'>\n"
			   "        <cpus>5</cpus>\n"
			   "        <tune/>\n"
			   "      </tune>\n"
			   "      <address type='pci' bus='0x1f' slot='0x08'/>\n"
			   "    </disk>\n"
			   "    <disk type='network'>\n"
			   "      <source protocol='nbd' name='n'>\n"
			   "        <host name='h1'/>\n"
			   "        <host name='h2' port='9'/>\n"
			   "      </source>\n"
			   "      <target dev='vdb'/>\n"
			   "      <address type='unassigned'/>\n"
			   "    </disk>\n"
			   "    <nic>\n"
			   "      <mac address='52:54:00:ab:cd:0e'/>\n"
			   "    </nic>\n"
			   "    <screen type='vnc' port='-1' password='pw'/>\n"
			   "    <screen type='spice'>\n"
			   "      <listen tls='5'/>\n"
			   "    </screen>\n"
			   "  </devices>\n"
			   "  <m:extra xmlns:m='urn:m'>t</m:extra>\n"
			   "</guest>\n";

static struct vm_err err;
static struct vm_xml *docs[4];
static unsigned n_docs;

static struct vm_xml *read_doc(const char *text)
{
	struct vm_xml *doc = NULL;

	err = VM_ERR_INIT;
	if (vm_xml_parse(text, strlen(text), "t.xml", &doc, &err) < 0)
		fail_msg("%s", err.msg);
	vm_xml_free(docs[n_docs % 4]);
	docs[n_docs++ % 4] = doc;
	return doc;
}

static struct toy_guest *parse(const struct vm_xml *doc)
{
	void *ret = NULL;

	if (mt_parse(&toy_guest_type, doc, 0, true, &ret, &err) < 0)
		fail_msg("%s", err.msg);
	return ret;
}

static char *format(const struct toy_guest *g, unsigned flags)
{
	struct vm_strbuf b = VM_STRBUF_INIT;

	mt_format(&toy_guest_type, g, 0, flags, &b);
	return vm_strbuf_take(&b);
}

static void round_trip(void **state)
{
	struct toy_guest *g = parse(read_doc(full)), *again;
	VM_AUTO_FREE char *text = format(g, MT_FORMAT_SECRETS);
	VM_AUTO_FREE char *public = format(g, 0);

	(void)state;
	/* &quot; is the one thing that text does not need. */
	assert_non_null(strstr(full, "&quot;b&quot;"));
	again = parse(read_doc(text));
	assert_true(mt_equal(&toy_guest_type, g, again));
	{
		VM_AUTO_FREE char *twice = format(again, MT_FORMAT_SECRETS);
		VM_AUTO_FREE char *expected = vm_xstrdup(full);
		char *p = strstr(expected, "&quot;b&quot;");

		memmove(p, "\"b\"", 3);
		memmove(p + 3, p + 13, strlen(p + 13) + 1);
		assert_string_equal(twice, expected);
	}
	assert_null(strstr(public, "s3"));
	assert_null(strstr(public, "pw"));
	assert_non_null(strstr(public, "<screen type='vnc' port='-1'/>"));
	mt_free(&toy_guest_type, g);
	mt_free(&toy_guest_type, again);
}

/* The document with everything `ours` of g in it. */
static char *spliced(const struct toy_guest *g, const struct vm_xml *doc)
{
	struct vm_xml_edit *edit = vm_xml_edit_new(doc);
	struct vm_xml *now = NULL;
	struct toy_guest *again;
	char *text;

	mt_splice(&toy_guest_type, g, doc, edit);
	if (vm_xml_edit_apply(edit, &now, &err) < 0)
		fail_msg("%s", err.msg);
	text = vm_xstrdup(vm_xml_text(now, NULL));
	again = parse(now);
	assert_true(mt_equal(&toy_guest_type, g, again));
	mt_free(&toy_guest_type, again);
	vm_xml_edit_free(edit);
	vm_xml_free(now);
	return text;
}

static const char plain[] = "<guest type=\"kvm\">\n"
			    "\t<!-- mine -->\n"
			    "\t<name>a</name>\n"
			    "\t<devices>\n"
			    "\t\t<disk type=\"file\"> <!-- root -->\n"
			    "\t\t\t<target dev=\"vda\"/>\n"
			    "\t\t\t<address type=\"pci\"/>\n"
			    "\t\t</disk>\n"
			    "\t\t<nic/>\n"
			    "\t\t<disk type=\"file\"><target dev=\"vdb\"/></disk>\n"
			    "\t</devices>\n"
			    "</guest>\n";

static void assign_all(struct toy_guest *g)
{
	struct toy_disk *a = g->disks.v[0], *b = g->disks.v[1], *c;
	struct toy_nic *nic = g->nics.v[0], *second = mt_new(&toy_nic_type);

	g->uuid[15] = 1;
	mt_assigned(&g->obj, TOY_UUID);
	a->address->bus = 1;
	a->address->slot = 2;
	mt_assigned(&a->address->obj, 0);
	mt_assigned(&a->address->obj, 1);
	b->address_type = TOY_ADDRESS_DRIVE;
	b->address = mt_new(&toy_drive_type);
	b->address->unit = 3;
	mt_assigned(&b->address->obj, 2);
	mt_assigned(&b->obj, TOY_DISK_ADDRESS);
	memcpy(nic->mac, "\x52\x54\0\0\0\1", 6);
	mt_assigned(&nic->obj, TOY_NIC_MAC);
	memcpy(second->mac, "\x52\x54\0\0\0\2", 6);
	mt_assigned(&second->obj, TOY_NIC_MAC);
	mt_list_add(&g->nics, second);
	c = mt_new(&toy_disk_type);
	c->type = TOY_FILE;
	mt_assigned(&c->obj, TOY_DISK_TYPE);
	c->source = mt_new(&toy_file_type);
	((struct toy_file *)c->source)->file = vm_xstrdup("/c");
	mt_assigned(c->source, 0);
	mt_assigned(&c->obj, TOY_DISK_SOURCE);
	c->dev = vm_xstrdup("vdc");
	mt_assigned(&c->obj, TOY_DISK_DEV);
	mt_list_add(&g->disks, c);
}

static void splices(void **state)
{
	struct vm_xml *doc = read_doc(plain);
	struct toy_guest *g = parse(doc);
	VM_AUTO_FREE char *text = NULL, *same = NULL;

	(void)state;
	same = spliced(g, doc);
	assert_string_equal(same, plain);
	assign_all(g);
	text = spliced(g, doc);
	assert_string_equal(
	    text,
	    "<guest type=\"kvm\">\n"
	    "\t<!-- mine -->\n"
	    "\t<name>a</name>\n"
	    "\t<uuid>00000000-0000-0000-0000-000000000001</uuid>\n"
	    "\t<devices>\n"
	    "\t\t<disk type=\"file\"> <!-- root -->\n"
	    "\t\t\t<target dev=\"vda\"/>\n"
	    "\t\t\t<address type=\"pci\" bus=\"0x01\" slot=\"0x02\"/>\n"
	    "\t\t</disk>\n"
	    "\t\t<nic>\n"
	    "\t\t\t<mac address='52:54:00:00:00:01'/>\n"
	    "\t\t</nic>\n"
	    "\t\t<nic>\n"
	    "\t\t\t<mac address='52:54:00:00:00:02'/>\n"
	    "\t\t</nic>\n"
	    "\t\t<disk type=\"file\"><target dev=\"vdb\"/><address type='drive' unit='3'/></disk>\n"
	    "\t\t<disk type='file'>\n"
	    "\t\t\t<source file='/c'/>\n"
	    "\t\t\t<target dev='vdc'/>\n"
	    "\t\t</disk>\n"
	    "\t</devices>\n"
	    "</guest>\n");
	mt_free(&toy_guest_type, g);
}

static void splices_missing_parents(void **state)
{
	struct vm_xml *doc = read_doc("<guest type='kvm'><name>a</name></guest>\n");
	struct toy_guest *g = parse(doc);
	struct toy_screen *s;
	VM_AUTO_FREE char *text = NULL;

	(void)state;
	g->emulator = vm_xstrdup("/q");
	mt_assigned(&g->obj, TOY_EMULATOR);
	g->acpi = true;
	mt_assigned(&g->obj, TOY_ACPI);
	g->memory = 1 << 20;
	mt_assigned(&g->obj, TOY_MEMORY);
	text = spliced(g, doc);
	assert_string_equal(text, "<guest type='kvm'><name>a</name><memory unit='KiB'>1024</memory>"
				  "<features>\n  <acpi/>\n</features><devices>\n"
				  "  <emulator>/q</emulator>\n</devices></guest>\n");
	mt_free(&toy_guest_type, g);
	/* A case on the element itself. */
	doc =
	    read_doc("<guest type='kvm'>\n  <name>a</name>\n  <devices>\n    <screen type='vnc'/>\n"
		     "  </devices>\n</guest>\n");
	g = parse(doc);
	s = g->screens.v[0];
	((struct toy_display *)s->display)->port = 5900;
	mt_assigned(s->display, 0);
	free(text);
	text = spliced(g, doc);
	assert_string_equal(text, "<guest type='kvm'>\n  <name>a</name>\n  <devices>\n"
				  "    <screen type='vnc' port='5900'/>\n  </devices>\n</guest>\n");
	mt_free(&toy_guest_type, g);
}

static void redacts(void **state)
{
	struct vm_xml *doc = read_doc(full), *now = NULL;
	struct toy_guest *g = parse(doc);
	struct vm_xml_edit *edit = vm_xml_edit_new(doc);
	const char *text;

	(void)state;
	mt_redact(&toy_guest_type, g, doc, edit);
	assert_int_equal(vm_xml_edit_apply(edit, &now, &err), 0);
	text = vm_xml_text(now, NULL);
	assert_null(strstr(text, "s3"));
	assert_null(strstr(text, "pw"));
	assert_int_equal(strlen(text),
			 strlen(full) - strlen(" value='s3'") - strlen(" password='pw'"));
	vm_xml_free(now);
	vm_xml_edit_free(edit);
	mt_free(&toy_guest_type, g);
}

static const char stored_text[] =
    "<guest type='kvm'><name>a</name><uuid>00000000-0000-0000-0000-000000000009</uuid>"
    "<description>old</description><devices>"
    "<disk type='file'><target dev='vda'/><address type='pci' bus='1' slot='1'/></disk>"
    "<disk type='file'><target dev='vdb'/><address type='pci' bus='1' slot='2'/></disk>"
    "<disk type='file'><target dev='vdc'/><address type='drive' unit='7'/></disk>"
    "<nic><mac address='52:54:00:00:00:01'/></nic>"
    "<nic><mac address='52:54:00:00:00:02'/></nic>"
    "<nic><mac address='52:54:00:00:00:03'/></nic>"
    "</devices></guest>";

static void carries_over(void **state)
{
	struct vm_xml *doc =
	    read_doc("<guest type='kvm'>\n <name>a</name>\n <devices>\n"
		     "<disk type='file'><target dev='vdc'/><address type='pci'/></disk>\n"
		     "<disk type='file'><target dev='vdb'/><address type='pci' slot='5'/></disk>\n"
		     "<disk type='file'><target dev='vdx'/></disk>\n"
		     "<disk type='file'><target dev='vda'/></disk>\n"
		     "<nic/>\n<nic><mac address='52:54:00:00:00:01'/></nic>\n<nic/>\n<nic/>\n"
		     "</devices>\n</guest>\n");
	struct toy_guest *g = parse(doc), *stored = parse(read_doc(stored_text));
	VM_AUTO_FREE char *text = NULL;

	(void)state;
	mt_carry_over(&toy_guest_type, g, stored);
	mt_free(&toy_guest_type, stored);
	text = spliced(g, doc);
	assert_string_equal(text,
			    "<guest type='kvm'>\n <name>a</name>\n"
			    " <uuid>00000000-0000-0000-0000-000000000009</uuid>\n <devices>\n"
			    "<disk type='file'><target dev='vdc'/><address type='pci'/></disk>\n"
			    "<disk type='file'><target dev='vdb'/><address type='pci' slot='5' "
			    "bus='0x01'/></disk>\n"
			    "<disk type='file'><target dev='vdx'/></disk>\n"
			    "<disk type='file'><target dev='vda'/><address type='pci' bus='0x01' "
			    "slot='0x01'/></disk>\n"
			    "<nic>\n <mac address='52:54:00:00:00:02'/>\n</nic>\n"
			    "<nic><mac address='52:54:00:00:00:01'/></nic>\n"
			    "<nic>\n <mac address='52:54:00:00:00:03'/>\n</nic>\n<nic/>\n"
			    "</devices>\n</guest>\n");
	mt_free(&toy_guest_type, g);
}

static void carrying_over_twice_changes_nothing(void **state)
{
	struct vm_xml *doc = read_doc(stored_text);
	struct toy_guest *g = parse(doc), *stored = parse(read_doc(stored_text));
	VM_AUTO_FREE char *text = NULL;

	(void)state;
	mt_carry_over(&toy_guest_type, g, stored);
	mt_free(&toy_guest_type, stored);
	text = spliced(g, doc);
	assert_string_equal(text, stored_text);
	mt_free(&toy_guest_type, g);
}

static void note(const char *path, const char *from, const char *to, void *arg)
{
	vm_strbuf_printf(arg, "%s: %s -> %s\n", path, from != NULL ? from : "-",
			 to != NULL ? to : "-");
}

static void differences(void **state)
{
	struct toy_guest *a = parse(
	    read_doc("<guest type='kvm'><name>a</name><memory>1</memory><vcpu>1</vcpu><devices>"
		     "<disk type='file'><source file='/a'/><target dev='vda'/></disk>"
		     "<disk type='file'><source file='/b'/><target dev='vdb'/></disk>"
		     "<disk type='file'><target dev='vdc'/><address type='pci' bus='1'/></disk>"
		     "<nic><model type='x'/></nic><screen type='vnc' port='1'/>"
		     "</devices></guest>"));
	struct toy_guest *b = parse(read_doc(
	    "<guest type='kvm'><name>b</name><memory unit='MiB'>1</memory><clock offset='utc'/>"
	    "<features><acpi/></features><devices>"
	    "<disk type='file'><target dev='vdc'/><address type='drive' unit='1'/></disk>"
	    "<disk type='network'><source protocol='nbd'/><target dev='vda'/><tune/></disk>"
	    "<nic><model type='y'/></nic><nic/><screen type='vnc'/>"
	    "</devices></guest>"));
	VM_AUTO(vm_strbuf_free) struct vm_strbuf text = VM_STRBUF_INIT;

	(void)state;
	mt_diff(&toy_guest_type, a, b, note, &text);
	assert_string_equal(text.text, "name/#text: a -> b\n"
				       "memory/#text: 1 KiB -> 1024 KiB\n"
				       "features/acpi: - -> yes\n"
				       "devices/disk[vda]/@type: file -> network\n"
				       "devices/disk[vda]/source/@file: /a -> -\n"
				       "devices/disk[vda]/source/@protocol: - -> nbd\n"
				       "devices/disk[vda]/tune: - -> \n"
				       "devices/disk[vdb]:  -> -\n"
				       "devices/disk[vdb]/@type: file -> -\n"
				       "devices/disk[vdb]/source:  -> -\n"
				       "devices/disk[vdb]/source/@file: /b -> -\n"
				       "devices/disk[vdb]/target/@dev: vdb -> -\n"
				       "devices/disk[vdc]/address/@type: pci -> drive\n"
				       "devices/disk[vdc]/address/@bus: 0x01 -> -\n"
				       "devices/disk[vdc]/address/@unit: - -> 1\n"
				       "devices/disk/#order:  -> \n"
				       "devices/nic[0]/model/@type: x -> y\n"
				       "devices/nic[1]: - -> \n"
				       "devices/screen[0]/@port: 1 -> -\n");
	assert_false(mt_equal(&toy_guest_type, a, b));
	assert_true(mt_equal(&toy_guest_type, a, a));
	mt_free(&toy_guest_type, a);
	mt_free(&toy_guest_type, b);
}

static void walked(const char *path, const struct mt_row *row, void *arg)
{
	assert_non_null(row);
	vm_strbuf_printf(arg, "%s\n", path);
}

static void walks(void **state)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf text = VM_STRBUF_INIT;

	(void)state;
	mt_walk(&toy_guest_type, walked, &text);
	assert_non_null(strstr(text.text, "guest/@type\nguest/@id\nguest/name/#text\n"));
	assert_non_null(
	    strstr(text.text, "\nguest/devices/disk/source(type=network)/host/@port\n"));
	assert_non_null(strstr(text.text, "\nguest/devices/disk/address(type=pci)/@bus\n"));
	assert_non_null(strstr(text.text, "\nguest/devices/screen(type=spice)/listen/@tls\n"));
	assert_non_null(
	    strstr(text.text, "\nguest/devices/disk/tune/tune\nguest/devices/disk/address\n"));
}

/* Many alike without a key must not take for ever. */
static void many_alike(void **state)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf text = VM_STRBUF_INIT;
	struct toy_guest *a, *b;

	(void)state;
	vm_strbuf_puts(&text, "<guest type='kvm'><name>a</name><devices>");
	for (unsigned i = 0; i < MT_MAX_ITEMS; i++)
		vm_strbuf_printf(&text,
				 i % 2 ? "<nic/>" : "<nic><mac address='0:0:0:0:%x:%x'/></nic>",
				 i >> 8, i & 255);
	vm_strbuf_puts(&text, "</devices></guest>");
	a = parse(read_doc(text.text));
	b = parse(read_doc(text.text));
	assert_true(mt_equal(&toy_guest_type, a, b));
	mt_free(&toy_guest_type, a);
	mt_free(&toy_guest_type, b);
}

static int cleanup(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		vm_xml_free(docs[i]);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(round_trip),
	    cmocka_unit_test(splices),
	    cmocka_unit_test(splices_missing_parents),
	    cmocka_unit_test(redacts),
	    cmocka_unit_test(carries_over),
	    cmocka_unit_test(carrying_over_twice_changes_nothing),
	    cmocka_unit_test(differences),
	    cmocka_unit_test(walks),
	    cmocka_unit_test(many_alike),
	};

	return cmocka_run_group_tests(tests, NULL, cleanup);
}
