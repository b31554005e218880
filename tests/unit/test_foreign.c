/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Host devices by QEMU's own lists, and against a document. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/model.h>
#include <vm/xml.h>

#include "guest/hostdev_foreign.h"
#include "model/domain.h"
#include "qemu/qmp/qmp.h"
#include "qemu/run/look.h"

/* Answers a line by the first row whose texts are both in it: QEMU's part. */
struct answer {
	const char *has, *and, *reply; /* reply: a value; beginning with '!': no such thing */
};
struct peer {
	int fd;
	const struct answer *answers;
	pthread_t thread;
};

static void say(int fd, const char *text)
{
	assert_true(send(fd, text, strlen(text), MSG_NOSIGNAL) >= 0);
}

static void *run_peer(void *arg)
{
	const struct peer *p = arg;
	FILE *f = fdopen(dup(p->fd), "r");
	char line[4096], text[4200];

	say(p->fd, "{\"QMP\":{\"version\":{\"qemu\":{\"micro\":22,\"minor\":2,\"major\":7},\"package\":\"\"},\"capabilities\":[]}}\r\n");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		const char *id = strstr(line, "\"id\":");
		const struct answer *a = p->answers;

		while (a->has != NULL && (strstr(line, a->has) == NULL || strstr(line, a->and) == NULL))
			a++;
		if (a->has == NULL || a->reply[0] == '!')
			snprintf(text, sizeof(text), "{\"error\":{\"class\":\"GenericError\",\"desc\":\"none\"},\"id\":%d}\r\n",
				 atoi(id + 5));
		else
			snprintf(text, sizeof(text), "{\"return\":%s,\"id\":%d}\r\n", a->reply, atoi(id + 5));
		say(p->fd, text);
	}
	if (f != NULL)
		fclose(f);
	return NULL;
}

static int look(const struct answer *answers, struct vm_look *ret, struct vm_err *err)
{
	struct peer p = { .answers = answers };
	struct vm_qmp *q;
	int sv[2], r;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	p.fd = sv[1];
	assert_int_equal(pthread_create(&p.thread, NULL, run_peer, &p), 0);
	q = vm_qmp_new(sv[0]);
	assert_int_equal(vm_qmp_negotiate(q, vm_deadline_in(20000), err), 0);
	r = vm_qemu_look_on(q, VM_LOOK_HOSTDEVS, vm_deadline_in(20000), ret, err);
	vm_qmp_close(&q);
	pthread_join(p.thread, NULL);
	close(p.fd);
	return r;
}

#define NEGOTIATE { "qmp_capabilities", "", "{}" }
#define NO_NODES  { "query-named-block-nodes", "", "[]" }
#define NO_ANON	  { "peripheral-anon", "qom-list", "[]" }
#define CHILD(name, type) "{\"name\":\"" name "\",\"type\":\"child<" type ">\"}"

static void every_kind(void **state)
{
	static const struct answer answers[] = {
		NEGOTIATE,
		{ "qom-list", "peripheral-anon", "[{\"name\":\"type\",\"type\":\"string\"}," CHILD("device[0]", "vfio-pci") "," CHILD("device[1]", "pcie-root-port") "]" },
		{ "qom-list", "peripheral", "[" CHILD("net0", "virtio-net-pci") "," CHILD("a", "vfio-pci") "," CHILD("b", "vfio-pci")
		  "," CHILD("c", "usb-host") "," CHILD("d", "usb-host") "," CHILD("e", "vhost-scsi-pci") "," CHILD("f", "usb-host") "," CHILD("g", "vfio-pci-nohotplug-not") "]" },
		{ "query-named-block-nodes", "", "[{\"node-name\":\"x\",\"drv\":\"nvme\",\"file\":\"nvme://0000:05:00.0/1\"},{\"node-name\":\"y\",\"drv\":\"file\",\"file\":\"nvme://0000:06:00.0/1\"}]" },
		{ "device[0]", "\"host\"", "\"0000:09:00.1\"" },
		{ "peripheral/a\"", "\"host\"", "\"0000:01:00.0\"" },
		{ "peripheral/b\"", "\"host\"", "\"ffff:ff:ff.f\"" },
		{ "peripheral/b\"", "sysfsdev", "\"/sys/bus/mdev/devices/C2177883-F1BB-47F0-914D-32A22E3A8804\"" },
		{ "peripheral/c\"", "hostdevice", "\"/dev/bus/usb/001/004\"" },
		{ "peripheral/d\"", "hostbus", "3" },
		{ "peripheral/d\"", "hostport", "\"1.2\"" },
		{ "peripheral/d\"", "hostaddr", "0" },
		{ "peripheral/e\"", "wwpn", "\"naa.5001405376e34ea6\"" },
		{ NULL, NULL, NULL },
	};
	static const char *const wanted[][3] = {
		{ "a", "vfio-pci", "0000:01:00.0" },
		{ "b", "vfio-pci", "mdev:c2177883-f1bb-47f0-914d-32a22e3a8804" },
		{ "c", "usb-host", "usb:001:004" },
		{ "d", "usb-host", "usb:3-1.2" },
		{ "e", "vhost-scsi-pci", "vhost:naa.5001405376e34ea6" },
		{ "f", "usb-host", NULL },
		{ "/machine/peripheral-anon/device[0]", "vfio-pci", "0000:09:00.1" },
		{ "x", "nvme", "0000:05:00.0" },
	};
	VM_AUTO(vm_look_free) struct vm_look l = VM_LOOK_INIT;
	struct vm_err err = VM_ERR_INIT;

	(void)state;
	assert_int_equal(look(answers, &l, &err), 0);
	assert_true(l.has_hostdevs);
	assert_int_equal(l.n_aliases, 8);
	assert_int_equal(l.n_hostdevs, VM_COUNT(wanted));
	for (size_t i = 0; i < VM_COUNT(wanted); i++) {
		assert_string_equal(l.hostdevs[i].alias, wanted[i][0]);
		assert_string_equal(l.hostdevs[i].type, wanted[i][1]);
		if (wanted[i][2] == NULL)
			assert_null(l.hostdevs[i].device);
		else
			assert_string_equal(l.hostdevs[i].device, wanted[i][2]);
	}
}

/* What cannot be a name is refused; what is no answer to a property is not believed. */
static void hostile(void **state)
{
	static const char *const lists[] = {
		"{}", "[" CHILD("a b", "vfio-pci") "]", "[" CHILD("a,b", "edu") "]", "[" CHILD("../x", "vfio-pci") "]",
		"[" CHILD("", "vfio-pci") "]",
	};
	static const char *const hosts[] = { "\"0000:01:00.0,x\"", "7", "null", "\"\"", "[]", "\"0000:01:00.0 \"", "\"zz\"" };

	(void)state;
	for (size_t i = 0; i < VM_COUNT(lists); i++) {
		const struct answer answers[] = { NEGOTIATE, NO_ANON, NO_NODES, { "qom-list", "peripheral", lists[i] }, { NULL, NULL, NULL } };
		VM_AUTO(vm_look_free) struct vm_look l = VM_LOOK_INIT;
		struct vm_err err = VM_ERR_INIT;

		assert_int_equal(look(answers, &l, &err), -1);
		assert_int_equal(err.kind, VM_HYPERVISOR);
		assert_non_null(strstr(err.msg, "qom-list: QEMU sent "));
	}
	for (size_t i = 0; i < VM_COUNT(hosts); i++) {
		const struct answer answers[] = { NEGOTIATE, NO_ANON, NO_NODES,
						  { "qom-list", "peripheral", "[" CHILD("a", "vfio-pci") "]" },
						  { "qom-get", "\"host\"", hosts[i] }, { NULL, NULL, NULL } };
		VM_AUTO(vm_look_free) struct vm_look l = VM_LOOK_INIT;
		struct vm_err err = VM_ERR_INIT;

		assert_int_equal(look(answers, &l, &err), 0);
		assert_int_equal(l.n_hostdevs, 1);
		assert_null(l.hostdevs[0].device);
	}
}

static void without_lists(void **state)
{
	static const struct answer answers[] = { NEGOTIATE, NO_ANON, { "qom-list", "peripheral", "!" }, { NULL, NULL, NULL } };
	VM_AUTO(vm_look_free) struct vm_look l = VM_LOOK_INIT;
	struct vm_err err = VM_ERR_INIT;

	(void)state;
	assert_int_equal(look(answers, &l, &err), -1);
	assert_false(l.has_hostdevs);
}

/* ---- against a document ---- */

static const char document[] =
	"<domain type='qemu'><name>g</name><memory unit='MiB'>32</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='q35'>hvm</type></os>"
	"<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>"
	"<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0' bus='1' slot='0' function='0'/></source><alias name='hostdev0'/>"
	"<address type='pci' domain='0' bus='1' slot='0' function='0'/></hostdev>"
	"<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0' bus='1' slot='0' function='1'/></source><alias name='hostdev1'/>"
	"<address type='unassigned'/></hostdev>"
	"<hostdev mode='subsystem' type='usb'><source><vendor id='0x046d'/><product id='0xc52b'/><address bus='1' device='4'/></source><alias name='hostdev2'/></hostdev>"
	"</devices></domain>";

static void against(char *alias, char *type, char *device, const char *foreign, bool lost0, bool lost2)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;
	VM_AUTO(vm_domain_freep) struct vm_domain *d = NULL;
	VM_AUTO(vm_foreign_free) struct vm_foreign f = VM_FOREIGN_NONE;
	struct vm_look_hostdev has[2] = { { (char *)"hostdev2", (char *)"usb-host", (char *)"usb:001:004" }, { alias, type, device } };
	char *aliases[2] = { (char *)"hostdev2", alias };
	struct vm_look l = { .has_hostdevs = true, .hostdevs = has, .n_hostdevs = 2, .aliases = aliases, .n_aliases = 2 };
	struct vm_err err = VM_ERR_INIT;
	const bool lost[] = { lost0, false, lost2 };

	assert_int_equal(vm_xml_parse(document, strlen(document), "g.xml", &doc, &err), 0);
	assert_int_equal(vm_domain_parse(doc, true, &d, &err), 0);
	vm_foreign_read(d, &l, &f);
	assert_int_equal(f.n, foreign != NULL);
	if (foreign != NULL) {
		VM_AUTO_FREE char *text = vm_hostdev_source_text(&f.v[0].h);

		assert_string_equal(f.v[0].name, foreign);
		assert_ptr_equal(vm_foreign_find(&f, foreign), &f.v[0]);
		assert_ptr_equal(vm_foreign_find(&f, alias), &f.v[0]);
		assert_null(vm_foreign_find(&f, "hostdev9"));
		if (device != NULL && strncmp(device, "usb:3-", 6) != 0)
			assert_string_equal(text, device);
	}
	for (uint32_t i = 0; i < d->hostdevs.n; i++)
		assert_int_equal(vm_look_lost(&l, d->hostdevs.v[i], NULL), lost[i]);
	l.has_hostdevs = false;
	assert_false(vm_look_lost(&l, d->hostdevs.v[0], NULL));
}

static void differences(void **state)
{
	(void)state;
	against((char *)"hostdev0", (char *)"vfio-pci", (char *)"0000:01:00.0", NULL, false, false);
	against((char *)"hostdev0", (char *)"vfio-pci", NULL, NULL, false, false);
	against((char *)"hostdev0", (char *)"vfio-pci", (char *)"0000:02:00.0", "0000:02:00.0", true, false);
	against((char *)"hostdev1", (char *)"vfio-pci", (char *)"0000:02:00.0", "0000:02:00.0", true, false);
	against((char *)"x", (char *)"vfio-pci", (char *)"0000:01:00.0", "0000:01:00.0", true, false);
	against((char *)"x", (char *)"usb-host", (char *)"usb:002:007", "usb:002:007", true, false);
	against((char *)"x", (char *)"usb-host", (char *)"usb:3-1.2", "usb:3-1.2", true, false);
	against((char *)"x", (char *)"usb-host", NULL, "x", true, false);
	against((char *)"x", (char *)"scsi-generic", (char *)"scsi:2:0:1:3", "scsi:2:0:1:3", true, false);
	against((char *)"x", (char *)"vhost-scsi-pci", (char *)"vhost:naa.5001405376e34ea6", "vhost:naa.5001405376e34ea6", true, false);
	against((char *)"x", (char *)"vfio-pci", (char *)"mdev:c2177883-f1bb-47f0-914d-32a22e3a8804", "mdev:c2177883-f1bb-47f0-914d-32a22e3a8804", true, false);
	against((char *)"libvirt-1-storage", (char *)"nvme", (char *)"0000:05:00.0", "0000:05:00.0", true, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind), cmocka_unit_test(hostile), cmocka_unit_test(without_lists),
		cmocka_unit_test(differences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
