/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Device rules on this machine's own kernel: a process in a guest's group tries to open and to make nodes, before
 * and after each change.  Prints TAP.  Usage: acl-live DIRECTORY (where nodes may be made and used)
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vm/acl.h>
#include <vm/cgroup.h>
#include <vm/cleanup.h>
#include <vm/deadline.h>

#include "cgroup/acl_impl.h"
#include "guest/group.h"

static int number, failed;
static const char *dir;
static struct vm_err err;

static void point(bool good, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void point(bool good, const char *fmt, ...)
{
	va_list ap;

	printf("%sok %d - ", good ? "" : "not ", ++number);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	if (!good) {
		failed++;
		printf("# %s (%s)\n", err.msg, err.hint);
	}
	fflush(stdout);
	err = VM_ERR_INIT;
}

/* ---- the stand-in for QEMU ---- */
struct probe {
	pid_t pid;
	int fd;
};
struct request {
	char what; /* 'o' open with flags, 'm' mknod with flags as type */
	int flags;
	unsigned major, minor;
	char path[256];
};

static _Noreturn void probe_run(int fd)
{
	struct request r;
	int serial = 0;

	while (read(fd, &r, sizeof(r)) == sizeof(r)) {
		int result = 0;

		if (r.what == 'o') {
			int node = open(r.path, r.flags | O_NONBLOCK | O_CLOEXEC);

			result = node < 0 ? errno : 0;
			if (node >= 0)
				close(node);
		} else {
			char path[300];

			snprintf(path, sizeof(path), "%s/made%d", r.path, serial++);
			if (mknod(path, (mode_t)r.flags | 0600, makedev(r.major, r.minor)) < 0)
				result = errno;
			unlink(path);
		}
		if (write(fd, &result, sizeof(result)) != sizeof(result))
			break;
	}
	_exit(0);
}

static struct probe probe_start(const struct vm_cgroup *c)
{
	struct vm_cgroup_entry e = VM_CGROUP_ENTRY_INIT;
	struct probe p = { 0 };
	int pair[2];

	if (vm_cgroup_entry_open(c, VM_CGROUP_QEMU, &e, &err) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		exit(1);
	p.pid = fork();
	if (p.pid == 0) {
		int r = vm_cgroup_enter(&e, false);

		if (r != 0)
			printf("# enter: %s\n", strerror(r));
		close(pair[0]);
		probe_run(pair[1]);
	}
	close(pair[1]);
	vm_cgroup_entry_close(&e);
	p.fd = pair[0];
	return p;
}

static void probe_end(struct probe *p)
{
	close(p->fd);
	waitpid(p->pid, NULL, 0);
}

static int ask(const struct probe *p, const struct request *r)
{
	int result = -1;

	if (write(p->fd, r, sizeof(*r)) != sizeof(*r) ||
	    read(p->fd, &result, sizeof(result)) != sizeof(result))
		return -1;
	return result;
}

static void node_path(char *buf, size_t size, char type, unsigned major, unsigned minor)
{
	snprintf(buf, size, "%s/%c%u.%u", dir, type, major, minor);
}

/* perms: of "rw" what is tried at once.  Nothing but EPERM is the rules' word. */
static bool may(const struct probe *p, char type, unsigned major, unsigned minor, const char *perms)
{
	struct request r = { .what = 'o' };
	bool reads = strchr(perms, 'r') != NULL, writes = strchr(perms, 'w') != NULL;

	node_path(r.path, sizeof(r.path), type, major, minor);
	if (mknod(r.path, (type == 'c' ? S_IFCHR : S_IFBLK) | 0600, makedev(major, minor)) < 0 &&
	    errno != EEXIST)
		return false;
	r.flags = reads && writes ? O_RDWR : writes ? O_WRONLY : O_RDONLY;
	return ask(p, &r) != EPERM;
}

static bool may_make(const struct probe *p, char type, unsigned major, unsigned minor)
{
	struct request r = { .what = 'm', .flags = type == 'c' ? S_IFCHR : S_IFBLK, .major = major,
			     .minor = minor };

	snprintf(r.path, sizeof(r.path), "%s", dir);
	return ask(p, &r) == 0;
}

/* ---- groups ---- */
static char held[VM_CGROUP_HIERS_MAX][4096];

static bool make_group(struct vm_cgroup *c, const char *name)
{
	char tag[32];
	struct vm_cgroup_want want = { .name = name, .driver = "qemu", .tag = tag };

	snprintf(tag, sizeof(tag), "t%d", (int)getpid());
	if (vm_cgroup_make(&want, NULL, c, &err) < 0)
		return false;
	for (size_t i = 0; i < c->host.n; i++)
		if (!vm_cgroup_held(c, i, held[i], sizeof(held[i])))
			held[i][0] = 0;
	return true;
}

static void remove_group(struct vm_cgroup *c)
{
	bool good = true;

	for (size_t i = 0; i < c->host.n; i++)
		good &= held[i][0] == 0 ||
			vm_cgroup_undo(held[i], vm_deadline_in(30000), &err) == 0;
	point(good, "the group is removed");
	vm_cgroup_close(c);
}

static struct vm_acl rules(const char *text)
{
	struct vm_acl acl = VM_ACL_INIT;

	if (vm_acl_parse(text, &acl, &err) < 0)
		exit(1);
	return acl;
}

static bool in_force(const struct vm_cgroup *c, unsigned sides, const struct vm_acl *want)
{
	bool good = true;

	for (unsigned s = VM_ACL_V1; s <= VM_ACL_V2; s <<= 1) {
		VM_AUTO(vm_acl_free) struct vm_acl now = VM_ACL_INIT;

		if ((sides & s) != 0)
			good &= vm_acl_read(c, s, &now, &err) == 0 && vm_acl_equal(&now, want);
	}
	return good;
}

/* Sets the rules to `text` from those in *now, which becomes them. */
static void change(const struct vm_cgroup *c, unsigned sides, struct vm_acl *now, bool first,
		   const char *text, const char *what)
{
	struct vm_acl to = rules(text);
	bool good = vm_acl_apply(c, sides, first ? NULL : now, &to, &err) == 0;

	point(good && in_force(c, sides, &to), "%s: %s", vm_acl_side_word(sides), what);
	vm_acl_free(now);
	*now = to;
}

/* ---- the cases ---- */
static void test_changes(unsigned sides)
{
	struct vm_cgroup c = VM_CGROUP_INIT;
	struct vm_acl now = VM_ACL_INIT;
	const char *w = vm_acl_side_word(sides);
	struct probe p;

	point(make_group(&c, "acl"), "%s: make a group", w);
	p = probe_start(&c);
	point(may(&p, 'c', 1, 3, "rw") && may(&p, 'b', 1, 3, "r") && may_make(&p, 'c', 1, 3),
	      "%s: before any rule everything is allowed", w);
	change(&c, sides, &now, true, "c 1:3 rw\nc 1:5 r\n", "the first rules");
	point(may(&p, 'c', 1, 3, "r") && may(&p, 'c', 1, 3, "w") && may(&p, 'c', 1, 3, "rw"),
	      "%s: rw allows all three ways", w);
	point(may(&p, 'c', 1, 5, "r"), "%s: r allows reading", w);
	point(!may(&p, 'c', 1, 5, "w") && !may(&p, 'c', 1, 5, "rw"), "%s: but no writing", w);
	point(!may(&p, 'c', 1, 7, "r") && !may(&p, 'c', 1, 7, "w"), "%s: no rule, no open", w);
	point(!may(&p, 'b', 1, 3, "r"), "%s: a block device with those numbers is another", w);
	point(!may_make(&p, 'c', 1, 3) && !may_make(&p, 'b', 7, 0), "%s: no nodes can be made", w);
	change(&c, sides, &now, false, "b 1:3 r\nc 1:3 rw\nc 1:5 rw\nc 1:7 w\n", "more rules");
	point(may(&p, 'b', 1, 3, "r") && !may(&p, 'b', 1, 3, "rw"), "%s: the block device may be read", w);
	point(may(&p, 'c', 1, 5, "rw"), "%s: r became rw", w);
	point(may(&p, 'c', 1, 7, "w") && !may(&p, 'c', 1, 7, "r"), "%s: w alone", w);
	change(&c, sides, &now, false, "b 1:3 r\nc 1:5 r\n", "fewer rules");
	point(!may(&p, 'c', 1, 3, "r") && may(&p, 'b', 1, 3, "r"), "%s: one of two with equal numbers left", w);
	point(may(&p, 'c', 1, 5, "r") && !may(&p, 'c', 1, 5, "w"), "%s: rw became r", w);
	change(&c, sides, &now, false, "c 1:* r\n", "a whole major");
	point(may(&p, 'c', 1, 3, "r") && may(&p, 'c', 1, 9, "r") && !may(&p, 'c', 1, 9, "w") &&
		      !may(&p, 'c', 5, 0, "r") && !may(&p, 'b', 1, 3, "r"),
	      "%s: allows each minor and nothing else", w);
	change(&c, sides, &now, false, "", "no rules at all");
	point(!may(&p, 'c', 1, 3, "r") && !may(&p, 'c', 1, 9, "r"), "%s: nothing is allowed", w);
	vm_acl_free(&now);
	point(kill(p.pid, 0) == 0 && vm_cgroup_populated(&c, &err) == 1, "%s: the process is in the group", w);
	remove_group(&c);
	point(waitpid(p.pid, NULL, 0) == p.pid, "%s: what was in it is killed", w);
	close(p.fd);
}

/* Far more than one map has at first. */
static void test_many(unsigned sides)
{
	struct vm_cgroup c = VM_CGROUP_INIT;
	struct vm_acl now = VM_ACL_INIT, to = VM_ACL_INIT;
	const char *w = vm_acl_side_word(sides);
	struct probe p;
	bool good = true;

	make_group(&c, "many");
	p = probe_start(&c);
	for (unsigned i = 0; i < 64; i++)
		vm_acl_add(&now, 'c', 1, 100 + i, VM_ACL_READ, "a", NULL);
	point(vm_acl_apply(&c, sides, NULL, &now, &err) == 0 && in_force(&c, sides, &now), "%s: 64 rules", w);
	for (unsigned i = 0; i < 64; i++)
		vm_acl_add(&to, 'c', 1, 100 + i, VM_ACL_READ, "a", NULL);
	vm_acl_add(&to, 'c', 1, 3, VM_ACL_READ, "b", NULL);
	point(vm_acl_apply(&c, sides, &now, &to, &err) == 0 && in_force(&c, sides, &to), "%s: and one more", w);
	point(may(&p, 'c', 1, 3, "r") && !may(&p, 'c', 1, 5, "r"), "%s: which counts", w);
	vm_acl_free(&now);
	now = to;
	to = VM_ACL_INIT;
	for (unsigned i = 0; i < 300; i++)
		vm_acl_add(&to, i % 2 != 0 ? 'c' : 'b', 240, i, VM_ACL_READ | VM_ACL_WRITE, NULL, NULL);
	vm_acl_add(&to, 'c', 1, 5, VM_ACL_WRITE, NULL, NULL);
	point(vm_acl_apply(&c, sides, &now, &to, &err) == 0 && in_force(&c, sides, &to),
	      "%s: 301 others instead", w);
	for (unsigned i = 0; i < 300 && good; i++)
		good = may(&p, i % 2 != 0 ? 'c' : 'b', 240, i, "rw") &&
		       !may(&p, i % 2 == 0 ? 'c' : 'b', 240, i, "rw");
	point(good, "%s: each of them counts", w);
	point(may(&p, 'c', 1, 5, "w") && !may(&p, 'c', 1, 3, "r"), "%s: the old ones are gone", w);
	vm_acl_free(&now);
	vm_acl_free(&to);
	probe_end(&p);
	remove_group(&c);
}

/* A partition of our own in every hierarchy; made or removed. */
static bool partition(const char *name, bool make)
{
	struct vm_cgroup_host h = VM_CGROUP_HOST_INIT;
	bool good = vm_cgroup_host_open(-1, &h, &err) == 0;

	for (size_t i = 0; i < h.n; i++) {
		if (!h.v[i].v2 && (h.v[i].controllers & VM_CGROUP_OURS) == 0)
			continue;
		if (make)
			good &= mkdirat(h.v[i].fd, name, 0755) == 0;
		else
			good &= unlinkat(h.v[i].fd, name, AT_REMOVEDIR) == 0;
		if (make && !h.v[i].v2 && (h.v[i].controllers & 1u << VM_CGROUP_CPUSET) != 0) {
			char command[600];

			snprintf(command, sizeof(command),
				 "cd '%s' && for f in cpuset.cpus cpuset.mems; do cat $f >'%s'/$f; done",
				 h.v[i].mount, name);
			good &= system(command) == 0;
		}
	}
	vm_cgroup_host_close(&h);
	return good;
}

/* Closes the partition but for two devices, as a container's manager does. */
static bool close_partition(const char *name)
{
	struct vm_cgroup_host h = VM_CGROUP_HOST_INIT;
	bool good = false;

	if (vm_cgroup_host_open(-1, &h, &err) < 0)
		return false;
	for (size_t i = 0; i < h.n; i++) {
		char command[600];

		if (h.v[i].v2 || (h.v[i].controllers & 1u << VM_CGROUP_DEVICES) == 0)
			continue;
		snprintf(command, sizeof(command),
			 "cd '%s/%s' && echo a >devices.deny && echo 'c 1:3 rwm' >devices.allow &&"
			 "echo 'c 1:5 r' >devices.allow",
			 h.v[i].mount, name);
		good = system(command) == 0;
	}
	vm_cgroup_host_close(&h);
	return good;
}

/* A rule that cannot be had leaves those in force as they were. */
static void test_parent_forbids(void)
{
	struct vm_cgroup c = VM_CGROUP_INIT;
	struct vm_acl now = VM_ACL_INIT, to = rules("c 1:3 rw\nc 1:5 rw\n");
	char name[64], path[64];
	struct vm_cgroup_want want = { .name = "parent", .driver = "qemu", .partition = path };
	struct probe p;

	snprintf(path, sizeof(path), "/vmtest%d", (int)getpid());
	snprintf(name, sizeof(name), "vmtest%d.partition", (int)getpid());
	point(vm_cgroup_make(&want, NULL, &c, &err) < 0 && err.kind == VM_NOT_FOUND &&
		      strstr(err.msg, "partition") != NULL && strstr(err.hint, "mkdir") != NULL,
	      "a partition that is not there is an error");
	point(partition(name, true) && close_partition(name), "a partition that allows little");
	point(vm_cgroup_make(&want, NULL, &c, &err) == 0, "a group in it");
	for (size_t i = 0; i < c.host.n; i++)
		if (!vm_cgroup_held(&c, i, held[i], sizeof(held[i])))
			held[i][0] = 0;
	p = probe_start(&c);
	change(&c, VM_ACL_V1, &now, true, "c 1:3 r\n", "a rule the parent has");
	point(vm_acl_apply(&c, VM_ACL_V1, &now, &to, &err) < 0 && err.kind == VM_DENIED &&
		      strstr(err.msg, "parent cgroup forbids c 1:5") != NULL,
	      "one it does not have is an error that names it");
	point(in_force(&c, VM_ACL_V1, &now), "the rules are what they were");
	point(may(&p, 'c', 1, 3, "r") && !may(&p, 'c', 1, 3, "w"), "and not a bit more");
	point(vm_acl_apply(&c, VM_ACL_V1 | VM_ACL_V2, NULL, &to, &err) < 0, "nor with both sides");
	vm_acl_free(&now);
	vm_acl_free(&to);
	probe_end(&p);
	remove_group(&c);
	point(partition(name, false), "the partition is as it was");
}

static int load_other(bool allow, const char *name)
{
	struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = allow },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insn_cnt = 2;
	attr.insns = (uint64_t)(uintptr_t)insns;
	attr.license = (uint64_t)(uintptr_t) "GPL";
	snprintf(attr.prog_name, sizeof(attr.prog_name), "%s", name);
	return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

static int attach_other(int group, int program, unsigned flags)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (uint32_t)group;
	attr.attach_bpf_fd = (uint32_t)program;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = flags;
	return (int)syscall(SYS_bpf, BPF_PROG_ATTACH, &attr, sizeof(attr));
}

static int v2_group(const struct vm_cgroup *c, enum vm_cgroup_part part)
{
	for (size_t i = 0; i < c->host.n; i++)
		if (c->host.v[i].v2)
			return c->at[i].fd[part];
	return -1;
}

static void test_foreign(void)
{
	struct vm_cgroup c = VM_CGROUP_INIT;
	struct vm_acl now = VM_ACL_INIT;
	int deny = load_other(false, "strange"), allow = load_other(true, "strange");
	char *note = NULL;
	struct probe p;

	make_group(&c, "foreign");
	p = probe_start(&c);
	point(attach_other(v2_group(&c, VM_CGROUP_QEMU), allow, BPF_F_ALLOW_MULTI) == 0,
	      "somebody else's program is attached to the group");
	change(&c, VM_ACL_V2, &now, true, "c 1:3 rw\n", "rules beside it");
	point(may(&p, 'c', 1, 3, "rw") && !may(&p, 'c', 1, 5, "r"), "ours count");
	point(vm_acl_blocked(&c, VM_ACL_V2, &now, &note, &err) == 0 && note != NULL &&
		      strstr(note, "the program strange ") != NULL,
	      "the other one is named");
	free(note);
	point(attach_other(v2_group(&c, VM_CGROUP_MAIN), deny, BPF_F_ALLOW_MULTI) == 0,
	      "one that forbids all, on the group above");
	change(&c, VM_ACL_V2, &now, false, "c 1:3 rw\nc 1:5 rw\n", "a change");
	point(!may(&p, 'c', 1, 3, "r") && !may(&p, 'c', 1, 5, "r"), "it has the last word");
	note = NULL;
	point(vm_acl_blocked(&c, VM_ACL_V1, &now, &note, &err) == 0 && note != NULL &&
		      strstr(note, "cgroup v2") != NULL,
	      "which is told to those who use v1, too");
	free(note);
	vm_acl_free(&now);
	probe_end(&p);
	remove_group(&c);

	make_group(&c, "exclusive");
	point(attach_other(v2_group(&c, VM_CGROUP_QEMU), allow, 0) == 0, "a program that admits no other");
	now = rules("c 1:3 rw\n");
	point(vm_acl_apply(&c, VM_ACL_V2, NULL, &now, &err) < 0 && err.kind == VM_IN_USE &&
		      strstr(err.msg, "admits no other") != NULL,
	      "is an error that says so");
	struct vm_acl_other others[4];

	point(vm_acl_others(v2_group(&c, VM_CGROUP_QEMU), false, others, 4, &err) == 1 &&
		      strcmp(others[0].name, "strange") == 0,
	      "and is left alone");
	vm_acl_free(&now);
	remove_group(&c);
	close(deny);
	close(allow);
}

/* What is left of root's capabilities. */
static void drop(uint64_t gone)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data) < 0)
		_exit(2);
	data[0].effective &= ~(uint32_t)gone;
	data[1].effective &= ~(uint32_t)(gone >> 32);
	if (syscall(SYS_capset, &head, data) < 0)
		_exit(2);
}

/* Runs in a child without some capabilities: 0 = as expected. */
static bool without(const struct vm_cgroup *c, uint64_t gone, unsigned side, const struct vm_acl *from,
		    enum vm_kind kind, const char *word)
{
	struct vm_acl to = rules("c 1:3 rw\n");
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		struct vm_err e = VM_ERR_INIT;
		int r;

		drop(gone);
		r = vm_acl_apply(c, side, from, &to, &e);
		if (kind == VM_OK)
			_exit(r == 0 ? 0 : 1);
		if (r < 0 && e.kind == kind && strstr(e.msg, word) != NULL)
			_exit(0);
		printf("# %d: %s\n", r, e.msg);
		fflush(stdout);
		_exit(1);
	}
	waitpid(pid, &status, 0);
	vm_acl_free(&to);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

#define CAP(c) (1ull << (c))
static void test_capabilities(void)
{
	const uint64_t all = CAP(CAP_BPF) | CAP(CAP_SYS_ADMIN) | CAP(CAP_NET_ADMIN);
	struct vm_cgroup c = VM_CGROUP_INIT;
	struct vm_acl now = rules("c 1:5 rw\n");
	unsigned sides = 9;
	char *note = NULL;

	make_group(&c, "caps");
	point(without(&c, all, VM_ACL_V2, NULL, VM_DENIED, "CAP_NET_ADMIN"),
	      "v2 without any: CAP_NET_ADMIN is named");
	point(without(&c, CAP(CAP_BPF) | CAP(CAP_SYS_ADMIN), VM_ACL_V2, NULL, VM_DENIED, "CAP_BPF"),
	      "v2 without CAP_BPF: it is named");
	point(without(&c, CAP(CAP_SYS_ADMIN), VM_ACL_V2, NULL, VM_OK, ""),
	      "v2 with CAP_BPF and CAP_NET_ADMIN: the first rules can be set");
	point(without(&c, CAP(CAP_SYS_ADMIN), VM_ACL_V2, &now, VM_DENIED, "CAP_SYS_ADMIN"),
	      "but not changed: CAP_SYS_ADMIN is named");
	point(without(&c, all, VM_ACL_V1, NULL, VM_DENIED, "CAP_SYS_ADMIN"),
	      "v1 without CAP_SYS_ADMIN: it is named");
	point(vm_acl_choose(&c, 0, &sides, &note, &err) == 0 && sides == VM_ACL_V1 && note == NULL,
	      "with all of them v1 is chosen where its controller is");
	point(vm_acl_choose(&c, 2, &sides, &note, &err) == 0 && sides == VM_ACL_V2, "v2 when asked for");
	point(vm_acl_choose(&c, 3, &sides, &note, &err) == 0 && sides == (VM_ACL_V1 | VM_ACL_V2), "both");
	point(vm_acl_choose(&c, 4, &sides, &note, &err) == 0 && sides == 0, "none");
	vm_acl_free(&now);
	remove_group(&c);
}

/* On a host with both, the side that nobody chose may forbid all the same. */
static void test_hybrid(void)
{
	struct vm_cgroup c = VM_CGROUP_INIT;
	struct vm_acl some = rules("c 1:3 rw\n"), want = rules("c 1:3 rw\nc 1:5 rw\n");
	char *note = NULL;
	struct probe p;

	make_group(&c, "hybrid");
	p = probe_start(&c);
	point(vm_acl_apply(&c, VM_ACL_V1, NULL, &some, &err) == 0 &&
		      vm_acl_apply(&c, VM_ACL_V2, NULL, &want, &err) == 0,
	      "v1 has fewer rules than v2");
	point(may(&p, 'c', 1, 3, "rw") && !may(&p, 'c', 1, 5, "r"), "v1 forbids what v2 allows");
	point(vm_acl_blocked(&c, VM_ACL_V2, &want, &note, &err) == 0 && note != NULL &&
		      strstr(note, "cgroup v1") != NULL && strstr(note, "forbids c 1:5 rw") != NULL,
	      "it is named, with the rule");
	free(note);
	point(vm_acl_apply(&c, VM_ACL_V1, &some, &want, &err) == 0 && may(&p, 'c', 1, 5, "r"),
	      "until it allows that, too");
	point(vm_acl_apply(&c, VM_ACL_V2, &want, &some, &err) == 0 && !may(&p, 'c', 1, 5, "r"),
	      "v2 forbids what v1 allows");
	vm_acl_free(&some);
	vm_acl_free(&want);
	probe_end(&p);
	remove_group(&c);
}

/* Into the root of each hierarchy. */
static void move_out(const struct vm_cgroup *c, pid_t pid)
{
	for (size_t i = 0; i < c->host.n; i++) {
		int fd = openat(c->host.v[i].fd, "cgroup.procs", O_WRONLY);

		if (fd >= 0 && dprintf(fd, "%d", (int)pid) < 0)
			printf("# cannot be moved: %s\n", strerror(errno));
		close(fd);
	}
}

static const struct vm_acl_row *row(const struct vm_acl_check *c, const char *text)
{
	char got[VM_ACL_TEXT];

	for (size_t i = 0; i < c->n; i++)
		if (strcmp(vm_acl_format(&c->rows[i].rule, got), text) == 0)
			return &c->rows[i];
	return NULL;
}

static bool checks(const struct vm_guest *g, const char *text, const char *check, const char *by)
{
	VM_AUTO(vm_acl_check_free) struct vm_acl_check c = VM_ACL_CHECK_INIT;
	const struct vm_acl_row *r;

	if (vm_guest_acl_check(g, &c, &err) < 0)
		return false;
	r = row(&c, text);
	return r != NULL && strcmp(r->check, check) == 0 &&
	       (by == NULL ? r->rule.by == NULL : r->rule.by != NULL && strcmp(r->rule.by, by) == 0);
}

/* Somebody else changes the rules of a running guest: ours are told apart and put back. */
static void test_guest(unsigned side)
{
	const char *w = vm_acl_side_word(side);
	struct vm_cgroup c = VM_CGROUP_INIT;
	struct vm_guest g = VM_GUEST_INIT;
	struct vm_acl now = VM_ACL_INIT, to = VM_ACL_INIT;
	VM_AUTO(vm_acl_check_free) struct vm_acl_check check = VM_ACL_CHECK_INIT;
	struct vm_procid id;
	struct probe p;

	make_group(&c, "guest");
	p = probe_start(&c);
	vm_acl_add(&now, 'c', 1, 3, VM_ACL_READ | VM_ACL_WRITE, "static", "/dev/null");
	vm_acl_add(&now, 'c', 1, 5, VM_ACL_READ, "disk0,disk1", "/dev/zero");
	for (size_t i = 0; i < c.host.n; i++) {
		char text[4200];

		snprintf(text, sizeof(text), "%s %.*s", VM_CGROUP_VERB, (int)sizeof(held[i]) - 1,
			 held[i]);
		if (held[i][0] != 0)
			vm_record_add(&g.record, VM_KEY_HELD, text);
	}
	vm_record_set(&g.record, VM_KEY_ACL, w);
	vm_acl_to_record(&now, VM_KEY_ACL_RULE, &g.record);
	vm_procid_of(p.pid, &id, &err);
	vm_record_set_procid(&g.record, VM_KEY_PID, &id);
	point(vm_acl_apply(&c, side, NULL, &now, &err) == 0 && checks(&g, "c 1:3 rw", "ok", "static") &&
		      checks(&g, "c 1:5 r", "ok", "disk0,disk1"),
	      "%s: rules as the record has them", w);
	vm_acl_add(&to, 'c', 1, 5, VM_ACL_WRITE, "x", NULL);
	vm_acl_add(&to, 'c', 1, 7, VM_ACL_READ, "x", NULL);
	point(vm_acl_apply(&c, side, &now, &to, &err) == 0 && checks(&g, "c 1:3 rw", "missing", "static") &&
		      checks(&g, "c 1:5 r", "missing", "disk0,disk1") && checks(&g, "c 1:5 w", "extra", NULL) &&
		      checks(&g, "c 1:7 r", "extra", NULL),
	      "%s: what is missing and what is extra is told", w);
	point(vm_guest_acl_restore(&g, &err) == 0 && in_force(&c, side, &now) && may(&p, 'c', 1, 3, "rw") &&
		      !may(&p, 'c', 1, 7, "r"),
	      "%s: they are put back", w);
	point(vm_guest_acl_apply(&g, &to, NULL, &err) == 0 && in_force(&c, side, &to), "%s: a change", w);
	point(vm_guest_acl_restore(&g, &err) == 0 && in_force(&c, side, &now), "%s: undone", w);
	point(vm_guest_acl_check(&g, &check, &err) == 0 && check.note == NULL && check.n == 2,
	      "%s: nothing is to be told", w);
	vm_acl_check_free(&check);
	move_out(&c, p.pid);
	point(vm_guest_acl_check(&g, &check, &err) == 0 && check.note != NULL &&
		      strstr(check.note, "QEMU was moved to ") != NULL,
	      "%s: a QEMU that was moved away is", w);
	vm_acl_free(&now);
	vm_acl_free(&to);
	vm_record_free(&g.record);
	probe_end(&p);
	remove_group(&c);
}

int main(int argc, char **argv)
{
	struct vm_cgroup_host h = VM_CGROUP_HOST_INIT;
	bool v1 = false, v2;

	if (argc != 2 || vm_cgroup_host_open(-1, &h, &err) < 0)
		return 1;
	dir = argv[1];
	for (size_t i = 0; i < h.n; i++)
		v1 |= !h.v[i].v2 && (h.v[i].controllers & 1u << VM_CGROUP_DEVICES) != 0;
	v2 = vm_cgroup_host_v2(&h) != NULL;
	vm_cgroup_host_close(&h);
	for (unsigned sides = VM_ACL_V1; sides <= (VM_ACL_V1 | VM_ACL_V2); sides++) {
		if (((sides & VM_ACL_V1) != 0 && !v1) || ((sides & VM_ACL_V2) != 0 && !v2)) {
			printf("ok %d # SKIP no %s here\n", ++number, vm_acl_side_word(sides));
			continue;
		}
		test_changes(sides);
		test_many(sides);
	}
	if (v1)
		test_parent_forbids();
	if (v2)
		test_foreign();
	if (v1)
		test_guest(VM_ACL_V1);
	if (v2)
		test_guest(VM_ACL_V2);
	if (v1 && v2) {
		test_capabilities();
		test_hybrid();
	}
	printf("1..%d\n", number);
	return failed != 0;
}
