/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Claims on images, what libvirt's guests use, and clearing away what dead guests left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/events.h>

#include "child.h"
#include "place.h"

#define KEY "file:fe01:4711"

static struct vm_deadline soon(void)
{
	return vm_deadline_in(5000);
}

static void locked(const char *name, struct vm_guest *g)
{
	must(vm_guest_open(&place, name, VM_GUEST_LOCKED | VM_GUEST_NEW, soon(), g, must_err));
	must(vm_guest_make_dirs(g, must_err));
}

static int claim(const char *name, const char *key, enum vm_claim_mode mode, struct vm_err *err)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;

	locked(name, &g);
	return vm_claim_take(&g, key, mode, "/img/a.qcow2", err);
}

static size_t users(const char *key)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	size_t n = 0;

	must(vm_claim_read(&place, key, &r, must_err));
	while (vm_record_nth(&r, "user", n))
		n++;
	return n;
}

static void refused(const char *name, const char *key, enum vm_claim_mode mode, const char *message)
{
	struct vm_err err = VM_ERR_INIT;

	assert_int_equal(claim(name, key, mode, &err), -1);
	assert_string_equal(err.msg, message);
	assert_int_equal(err.kind, VM_IN_USE);
}

/* What the end of an earlier run could not drop does not stand in the way of the next. */
static void own_of_earlier_run(void **state)
{
	(void)state;
	place_run("a", FAKE_PLAIN);
	must(claim("a", KEY, VM_CLAIM_EXCLUSIVE, must_err));
	place_file("run/vm/qemu/a/claims", "");
	must(claim("a", KEY, VM_CLAIM_EXCLUSIVE, must_err));
	assert_int_equal(users(KEY), 1);
	refused("a", KEY, VM_CLAIM_EXCLUSIVE, "/img/a.qcow2: the guest itself uses it twice");
}

static void modes(void **state)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	pid_t a, b;

	(void)state;
	a = place_run("a", FAKE_PLAIN);
	b = place_run("b", FAKE_PLAIN);
	must(claim("a", KEY, VM_CLAIM_EXCLUSIVE, must_err));
	refused("b", KEY, VM_CLAIM_EXCLUSIVE, "/img/a.qcow2: is used by guest 'a'");
	refused("b", KEY, VM_CLAIM_READ, "/img/a.qcow2: is used by guest 'a'");
	refused("a", KEY, VM_CLAIM_EXCLUSIVE, "/img/a.qcow2: the guest itself uses it twice");
	locked("a", &g);
	must(vm_claim_drop(&g, KEY, must_err));
	must(vm_claim_drop(&g, KEY, must_err));
	vm_guest_close(&g);
	assert_int_equal(users(KEY), 0);
	assert_false(place_exists("run/vm/claims/" KEY));

	must(claim("a", KEY, VM_CLAIM_READ, must_err));
	must(claim("a", KEY, VM_CLAIM_READ, must_err));
	must(claim("b", KEY, VM_CLAIM_READ, must_err));
	assert_int_equal(users(KEY), 2);
	refused("c", KEY, VM_CLAIM_EXCLUSIVE,
		"/img/a.qcow2: is used by guest 'a', which only reads it");
	refused("c", KEY, VM_CLAIM_SHARED,
		"/img/a.qcow2: is used by guest 'a', which only reads it");

	must(claim("a", "block:8:1", VM_CLAIM_SHARED, must_err));
	must(claim("b", "block:8:1", VM_CLAIM_SHARED, must_err));
	refused("c", "block:8:1", VM_CLAIM_READ,
		"/img/a.qcow2: is used by guest 'a', which shares it");
	locked("b", &g);
	must(vm_claim_drop_all(&g, must_err));
	vm_guest_close(&g);
	assert_int_equal(users(KEY), 1);
	assert_int_equal(users("block:8:1"), 1);
	place_kill(a);
	place_kill(b);
}

static void keys(void **state)
{
	static const char *const bad[] = {"", ".lock", "a/b", "a b", "a\nb", "../x", "\xc3\xa4"};
	VM_AUTO_FREE char *file = vm_xasprintf("%s/disk", place_root);
	VM_AUTO_FREE char *link = vm_xasprintf("%s/link", place_root);
	VM_AUTO_FREE char *one = NULL;
	VM_AUTO_FREE char *two = NULL;
	struct vm_err err;
	size_t i;

	(void)state;
	for (i = 0; i < VM_COUNT(bad); i++) {
		err = VM_ERR_INIT;
		assert_int_equal(claim("a", bad[i], VM_CLAIM_READ, &err), -1);
		assert_int_equal(err.kind, VM_BAD_INPUT);
	}
	place_file("disk", "x");
	assert_int_equal(symlink("disk", link), 0);
	must(vm_claim_key_file(file, &one, must_err));
	must(vm_claim_key_file(link, &two, must_err));
	assert_string_equal(one, two);
	assert_true(strncmp(one, "file:", 5) == 0);
	assert_int_equal(vm_claim_key_file("/nonexistent/x", &one, &place_err), -1);
	assert_int_equal(place_err.kind, VM_NOT_FOUND);
}

/* Claims of the dead go, but only after it is certain that they are. */
static void dead_users(void **state)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	pid_t pid;

	(void)state;
	pid = place_run("a", FAKE_DROPS);
	must(
	    claim("a", KEY, VM_CLAIM_EXCLUSIVE, must_err)); /* clears it away: it only seems dead */
	assert_false(place_lives(pid));
	/* the claim was taken anew by "a", which is neither running nor at work: nobody's */
	must(claim("b", KEY, VM_CLAIM_EXCLUSIVE, must_err));
	assert_int_equal(users(KEY), 1);
	locked("b", &g);
	must(vm_claim_drop_all(&g, must_err));
	vm_guest_close(&g);

	pid = place_run("a", FAKE_PLAIN);
	must(claim("a", KEY, VM_CLAIM_EXCLUSIVE, must_err));
	refused("b", KEY, VM_CLAIM_EXCLUSIVE, "/img/a.qcow2: is used by guest 'a'");
	kill(pid, SIGSTOP);
	refused("b", KEY, VM_CLAIM_EXCLUSIVE, "/img/a.qcow2: is used by guest 'a'");
	place_kill(pid);
	must(claim("b", KEY, VM_CLAIM_EXCLUSIVE, must_err));
	assert_false(place_exists("run/vm/qemu/a"));
}

/* One that has let go of its lock but lives: its image is not given to another before it is killed.
 */
static void hostile_user(void **state)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	pid_t pid;

	(void)state;
	locked("a", &g);
	must(vm_claim_take(&g, KEY, VM_CLAIM_EXCLUSIVE, "/img/a.qcow2", must_err));
	g.active = true; /* what a start in its middle leaves */
	vm_guest_close(&g);
	pid = place_run("other", FAKE_DROPS);
	{
		/* that process, under a's name */
		VM_AUTO_FREE char *text = place_text("run/vm/qemu/other/record");

		assert_non_null(text);
		place_file("run/vm/qemu/a/record", text);
	}
	must(claim("b", KEY, VM_CLAIM_EXCLUSIVE, must_err));
	assert_false(place_lives(pid));
}

/* A start in progress: it has its lock and its claims, and no process yet. */
static void starting_user(void **state)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;

	(void)state;
	locked("a", &g);
	must(vm_claim_take(&g, KEY, VM_CLAIM_EXCLUSIVE, NULL, must_err));
	refused("b", KEY, VM_CLAIM_EXCLUSIVE, "/img/a.qcow2: is used by guest 'a'");
	vm_guest_close(&g);
	must(claim("b", KEY, VM_CLAIM_EXCLUSIVE, must_err));
}

static void damaged_claims(void **state)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	struct vm_err err = VM_ERR_INIT;

	(void)state;
	place_file("run/vm/claims/" KEY, "garbage");
	assert_int_equal(claim("a", KEY, VM_CLAIM_EXCLUSIVE, &err), -1);
	assert_int_equal(err.kind, VM_BAD_INPUT);
	/* it must not keep a guest from being stopped */
	locked("a", &g);
	must(vm_claim_drop(&g, KEY, must_err));
	vm_guest_close(&g);
	/* users that could never be */
	place_file("run/vm/claims/" KEY, "vm-claim 1\nuser=../../etc\nmode=exclusive\nwhat=x\n"
					 "user=qemu/..\nmode=exclusive\nwhat=x\n"
					 "user=noslash\nmode=exclusive\nwhat=x\n"
					 "user=qemu/none\nmode=unheard-of\n");
	must(claim("a", KEY, VM_CLAIM_EXCLUSIVE, must_err));
	assert_int_equal(users(KEY), 1);
}

/* 16 guests at once want one image: one gets it. */
static void crowd(void **state)
{
	enum { PROCESSES = 16 };
	pid_t pids[PROCESSES];
	int i, status, won = 0, tried[2], over[2];
	char name[16], c;

	(void)state;
	fflush(NULL);
	assert_int_equal(pipe(tried), 0);
	assert_int_equal(pipe(over), 0);
	for (i = 0; i < PROCESSES; i++) {
		pids[i] = child_fork();
		if (pids[i])
			continue;
		close(over[1]);
		{
			struct vm_guest g = VM_GUEST_INIT;
			int r;

			snprintf(name, sizeof(name), "g%d", i);
			locked(name, &g);
			r = vm_claim_take(&g, KEY, VM_CLAIM_EXCLUSIVE, "x", &place_err);
			/* nobody gives up what it has before all have tried */
			if (write(tried[1], "x", 1) != 1 || read(over[0], &c, 1) != 0)
				_exit(97);
			_exit(r == 0 ? 0 : (int)place_err.kind);
		}
	}
	for (i = 0; i < PROCESSES; i++)
		assert_int_equal(read(tried[0], &c, 1), 1);
	close(over[1]);
	close(over[0]);
	close(tried[0]);
	close(tried[1]);
	for (i = 0; i < PROCESSES; i++) {
		waitpid(pids[i], &status, 0);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == 0)
			won++;
		else
			assert_int_equal(WEXITSTATUS(status), VM_IN_USE);
	}
	assert_int_equal(won, 1);
}

/* ---- libvirt ---- */

static void libvirt_guest(pid_t pid, const char *image, const char *disk_extra)
{
	VM_AUTO_FREE char *text = vm_xasprintf(
	    "<!-- a <uuid>22222222-2222-2222-2222-222222222222</uuid> in a comment -->\n"
	    "<domstatus state='running' reason='booted' pid='%d'>\n"
	    "  <monitor path='/x' type='unix'/>\n"
	    "  <domain type='kvm' id='1'>\n"
	    "    <name>theirs &amp; co</name>\n"
	    "    <uuid>11111111-1111-1111-1111-111111111111</uuid>\n"
	    "    <metadata><a:x xmlns:a='u'><uuid>33333333-3333-3333-3333-333333333333</uuid>"
	    "</a:x></metadata>\n"
	    "    <devices><disk type='file' device='disk'><driver name='qemu'/>"
	    "<source file=\"%s\" index='1'><privateData/></source>"
	    "<backingStore type='file'><source file='%s.base'/><backingStore/></backingStore>"
	    "<target dev='vda'/>%s</disk>\n"
	    "    <disk type='file'><source file='/nonexistent/other'/><target dev='vdb'/></disk>\n"
	    "    </devices></domain></domstatus>\n",
	    (int)pid, image, image, disk_extra);

	place_file("run/libvirt/qemu/theirs & co.xml", text);
}

static int use_image(const char *path, enum vm_claim_mode mode, struct vm_err *err)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	VM_AUTO_FREE char *key = NULL;
	int r;

	*err = VM_ERR_INIT;
	must(vm_claim_key_file(path, &key, must_err));
	locked("ours", &g);
	r = vm_claim_take(&g, key, mode, path, err);
	if (r == 0)
		must(vm_claim_drop_all(&g, must_err));
	return r;
}

static void libvirt_images(void **state)
{
	VM_AUTO_FREE char *image = vm_xasprintf("%s/it's.img", place_root);
	VM_AUTO_FREE char *base = vm_xasprintf("%s.base", image);
	VM_AUTO_FREE char *escaped = vm_xasprintf("%s/it&apos;s.img", place_root);
	VM_AUTO_FREE char *want =
	    vm_xasprintf("%s: is used by libvirt's running guest 'theirs & co'", image);
	struct vm_err err;

	(void)state;
	place_file("it's.img", "x");
	place_file("it's.img.base", "x");
	assert_int_equal(use_image(image, VM_CLAIM_EXCLUSIVE, &err), 0);
	libvirt_guest(getpid(), escaped, "");
	assert_int_equal(use_image(image, VM_CLAIM_EXCLUSIVE, &err), -1);
	assert_string_equal(err.msg, want);
	assert_int_equal(err.kind, VM_IN_USE);
	assert_int_equal(use_image(image, VM_CLAIM_READ, &err), -1);
	/* a backing file is read */
	assert_int_equal(use_image(base, VM_CLAIM_EXCLUSIVE, &err), -1);
	assert_int_equal(use_image(base, VM_CLAIM_READ, &err), 0);
	libvirt_guest(getpid(), escaped, "<shareable/>");
	assert_int_equal(use_image(image, VM_CLAIM_SHARED, &err), 0);
	assert_int_equal(use_image(image, VM_CLAIM_READ, &err), -1);
	libvirt_guest(getpid(), escaped, "<readonly/>");
	assert_int_equal(use_image(image, VM_CLAIM_READ, &err), 0);
	/* what is left of a guest that is gone */
	libvirt_guest(4194300, escaped, "");
	assert_int_equal(use_image(image, VM_CLAIM_EXCLUSIVE, &err), 0);
}

static int use_key(const char *key, struct vm_err *err)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	int r;

	*err = VM_ERR_INIT;
	locked("ours", &g);
	r = vm_claim_take(&g, key, VM_CLAIM_EXCLUSIVE, "it", err);
	if (r == 0)
		must(vm_claim_drop_all(&g, must_err));
	return r;
}

static void libvirt_hostdevs(void **state)
{
	static const struct {
		const char *key;
		int r;
	} rows[] = {
		{ "pci:0000:06:12.5", -1 },
		{ "pci:0000:03:07.1", -1 },
		{ "mdev:53764d0e-85a0-42b4-af5c-2046b460b1dc", -1 },
		/* where it is in the guest */
		{ "pci:0000:00:02.0", 0 },
		{ "pci:0000:00:05.0", 0 },
		{ "pci:0000:06:12.4", 0 },
		{ "pci:0000:09:00.0", 0 },
	};
	VM_AUTO_FREE char *text = vm_xasprintf(
	    "<domstatus state='running' pid='%d'><domain type='kvm'><name>theirs</name><devices>"
	    "<hostdev mode='subsystem' type='pci' managed='yes'><driver name='vfio'/><source>"
	    "<address domain='0x0000' bus='0x06' slot='0x12' function='0x5'/></source><alias name='hostdev0'/>"
	    "<address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x0'/></hostdev>"
	    "<interface type='hostdev'><source><address type='pci' bus='3' slot='7' function='1'/></source>"
	    "<address type='pci' domain='0x0000' bus='0x00' slot='0x05' function='0x0'/></interface>"
	    "<interface type='bridge'><source bridge='br0'><address bus='9' slot='0' function='0'/></source></interface>"
	    "<hostdev type='mdev'><source><address uuid='53764D0E-85a0-42b4-af5c-2046b460b1dc'/></source></hostdev>"
	    "<hostdev type='pci'><source><address bus='0x999' slot='0' function='0'/></source></hostdev>"
	    "</devices></domain></domstatus>",
	    (int)getpid());
	struct vm_err err;

	(void)state;
	place_file("run/libvirt/qemu/theirs.xml", text);
	for (size_t i = 0; i < VM_COUNT(rows); i++)
		if (use_key(rows[i].key, &err) != rows[i].r)
			fail_msg("%s: %s", rows[i].key, err.msg);
	assert_int_equal(use_key(rows[0].key, &err), -1);
	assert_string_equal(err.msg, "it: is used by libvirt's running guest 'theirs'");
}

static int check_uuid(char digit, struct vm_err *err)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;

	*err = VM_ERR_INIT;
	must(vm_guest_open(&place, "ours", VM_GUEST_LOCKED | VM_GUEST_NEW, soon(), &g, must_err));
	place_uuid(digit, g.uuid);
	g.has_uuid = true;
	if (vm_guest_libvirt_check(&g, err) < 0)
		return -1;
	return vm_definition_write(&g, "<domain/>", 9, g.defined, err);
}

static void libvirt_uuids(void **state)
{
	struct vm_err err;

	(void)state;
	libvirt_guest(getpid(), "/none", "");
	assert_int_equal(check_uuid('1', &err), -1);
	assert_string_equal(err.msg,
			    "UUID 11111111-1111-1111-1111-111111111111 is that of libvirt's "
			    "running guest 'theirs & co'");
	assert_int_equal(err.kind, VM_IN_USE);
	/* neither a comment's nor some application's metadata */
	assert_int_equal(check_uuid('2', &err), 0);
	libvirt_guest(4194300, "/none", "");
}

/* Their files are read with suspicion and never keep ours from running. */
static void libvirt_garbage(void **state)
{
	static const char *const garbage[] = {
	    "",
	    "<",
	    "<a",
	    "<a b",
	    "<a b='",
	    "<!--",
	    "<![CDATA[",
	    "<?x",
	    "</",
	    "</>",
	    "<>",
	    "<domain><uuid>",
	    "<domain><uuid>x",
	    "<domain><disk><source file='&bad;'/></disk>",
	    "<domain><disk><source file='/etc/passwd'",
	    "<disk><disk></disk></disk></disk></a>",
	    "<domain><name>&#x41;</name><uuid></uuid></domain>",
	    "\x80\xff\x01<\x01",
	};
	VM_AUTO_FREE char *big = vm_xasprintf("%s/run/libvirt/qemu/big.xml", place_root);
	VM_AUTO_FREE char *fifo = vm_xasprintf("%s/run/libvirt/qemu/fifo.xml", place_root);
	VM_AUTO_FREE char *link = vm_xasprintf("%s/run/libvirt/qemu/link.xml", place_root);
	VM_AUTO_FREE char *image = vm_xasprintf("%s/image", place_root);
	char file[64];
	struct vm_err err;
	size_t i;

	(void)state;
	for (i = 0; i < VM_COUNT(garbage); i++) {
		snprintf(file, sizeof(file), "run/libvirt/qemu/g%zu.xml", i);
		place_file(file, garbage[i]);
	}
	place_file("run/libvirt/qemu/big.xml", "");
	assert_int_equal(truncate(big, 5 << 20), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(symlink("/etc/passwd", link), 0);
	place_file("image", "x");
	assert_int_equal(use_image(image, VM_CLAIM_EXCLUSIVE, &err), 0);
	assert_int_equal(check_uuid('1', &err), 0);
}

/* ---- clearing away ---- */

static unsigned reaped, reaped_dead;
static int reap_result;

static int reap(struct vm_guest *g, bool dead, struct vm_deadline deadline, struct vm_err *err)
{
	(void)g;
	(void)deadline;
	reaped++;
	reaped_dead += dead;
	return reap_result < 0 ? vm_err_set(err, VM_SYSTEM, "cannot undo") : 0;
}

static int reconcile(const char *name, struct vm_err *err)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;

	*err = VM_ERR_INIT;
	must(vm_guest_open(&place, name, VM_GUEST_LOCKED | VM_GUEST_NEW | VM_GUEST_AS_IS, soon(),
			   &g, must_err));
	return vm_guest_reconcile(&g, soon(), err);
}

static void reconciling(void **state)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	struct vm_status last;
	struct vm_err err;
	pid_t pid;

	(void)state;
	reaped = reaped_dead = 0;
	reap_result = 0;
	place_define("web1", '1');
	assert_int_equal(reconcile("web1", &err), 0);

	/* without the driver's hand what it held is not let go */
	pid = place_run("web1", FAKE_PLAIN);
	must(claim("web1", KEY, VM_CLAIM_EXCLUSIVE, must_err));
	place_file("run/vm/qemu/web1/start.undo", "vm-undo 1\n");
	place_kill(pid);
	vm_guest_reap = NULL;
	assert_int_equal(reconcile("web1", &err), -1);
	assert_int_equal(err.kind, VM_IN_USE);
	assert_string_equal(err.hint, "vm-repair web1");
	assert_int_equal(users(KEY), 1);

	vm_guest_reap = reap;
	reap_result = -1;
	assert_int_equal(reconcile("web1", &err), -1);
	assert_true(place_exists("run/vm/qemu/web1/record"));
	reap_result = 0;
	assert_int_equal(reconcile("web1", &err), 1);
	assert_int_equal(reaped, 2);
	assert_int_equal(reaped_dead, 2);
	assert_int_equal(users(KEY), 0);
	assert_int_equal(place_count("run/vm/qemu"), 1);
	assert_true(place_exists("run/vm/qemu/" VM_ENDS_FILE));
	must(vm_guest_open(&place, "web1", 0, soon(), &g, must_err));
	must(vm_status_read_last(g.lib, &last, must_err));
	assert_int_equal(last.life, VM_SHUTOFF);
	assert_string_equal(last.reason, "unknown");
	vm_guest_close(&g);

	/* alive: the journal of its start is void, that of a change is undone, nothing is killed */
	reaped = reaped_dead = 0;
	pid = place_run("web1", FAKE_PLAIN);
	place_file("run/vm/qemu/web1/start.undo", "vm-undo 1\n");
	assert_int_equal(reconcile("web1", &err), 1);
	assert_int_equal(reaped, 0);
	place_file("run/vm/qemu/web1/change.undo", "vm-undo 1\n");
	assert_int_equal(reconcile("web1", &err), 1);
	assert_int_equal(reaped, 1);
	assert_int_equal(reaped_dead, 0);
	assert_true(place_lives(pid));
	place_kill(pid);
	assert_int_equal(reconcile("web1", &err), 1);
	assert_int_equal(reaped_dead, 1);
	vm_guest_reap = NULL;
}

/* A journal alone (a start that was killed before its record) makes a guest stale, and is cleared
 * away. */
static void journal_alone(void **state)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	struct vm_err err;

	(void)state;
	reaped = 0;
	place_define("web1", '1');
	place_file("run/vm/qemu/web1/start.undo", "vm-undo 1\n");
	must(vm_guest_open(&place, "web1", 0, soon(), &g, must_err));
	assert_int_equal(g.life, VM_STALE);
	vm_guest_close(&g);
	vm_guest_reap = reap;
	assert_int_equal(reconcile("web1", &err), 1);
	assert_int_equal(reaped, 1);
	vm_guest_reap = NULL;
	assert_false(place_exists("run/vm/qemu/web1"));
}

/* How the run ended is kept, if anybody saw it. */
static void last_status(void **state)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	struct vm_status s = {.life = VM_SHUTTING_DOWN, .reason = "shutdown", .since_ms = 77}, last;
	struct vm_err err;
	pid_t pid;

	(void)state;
	place_define("web1", '1');
	pid = place_run("web1", FAKE_PLAIN);
	locked("web1", &g);
	must(vm_status_write(g.run, &s, must_err));
	vm_guest_close(&g);
	place_kill(pid);
	assert_int_equal(reconcile("web1", &err), 1);
	must(vm_guest_open(&place, "web1", 0, soon(), &g, must_err));
	must(vm_status_read_last(g.lib, &last, must_err));
	assert_int_equal(last.life, VM_SHUTOFF);
	assert_string_equal(last.reason, "shutdown");
	assert_int_equal(last.since_ms, 77);
}

/* A hostile tree in the run directory: nothing outside is touched. */
static void hostile_tree(void **state)
{
	VM_AUTO_FREE char *link = vm_xasprintf("%s/run/vm/qemu/web1/dev/out", place_root);
	struct vm_err err;

	(void)state;
	place_define("web1", '1');
	place_file("outside/keep", "x");
	place_file("run/vm/qemu/web1/dev/a/b/c", "x");
	assert_int_equal(symlink("../../../../../outside", link), 0);
	place_file("run/vm/qemu/web1/record", "vm-guest 1\npid=1\npid_start=1\npid_boot=x\n");
	assert_int_equal(reconcile("web1", &err), 1);
	assert_false(place_exists("run/vm/qemu/web1"));
	assert_true(place_exists("outside/keep"));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, place_make, place_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(modes),	   TEST(keys),		 TEST(dead_users),
	    TEST(own_of_earlier_run),
	    TEST(hostile_user),	   TEST(starting_user),	 TEST(damaged_claims),
	    TEST(crowd),	   TEST(libvirt_images), TEST(libvirt_uuids),
	    TEST(libvirt_hostdevs),
	    TEST(libvirt_garbage), TEST(reconciling),	 TEST(journal_alone),
	    TEST(last_status),	   TEST(hostile_tree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
