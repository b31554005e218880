/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Device rules: sets, their text, what a guest's nodes ask for, and the program of v2, run here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <vm/acl.h>
#include <vm/alloc.h>
#include <vm/cgroup.h>
#include <vm/cleanup.h>
#include <vm/conf.h>
#include <vm/model.h>
#include <vm/nodes.h>
#include <vm/record.h>
#include <vm/strbuf.h>
#include <vm/xml.h>

#include "cgroup/acl_impl.h"

static struct vm_err err;

/* "c 1:3 rw; c 10:196 r" */
static char *text_of(const struct vm_acl *acl)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	char text[VM_ACL_TEXT];

	for (size_t i = 0; i < acl->n; i++)
		vm_strbuf_printf(&b, "%s%s", i > 0 ? "; " : "", vm_acl_format(&acl->v[i], text));
	return vm_strbuf_take(&b);
}

static void assert_set(const struct vm_acl *acl, const char *want)
{
	VM_AUTO_FREE char *got = text_of(acl);

	assert_string_equal(got, want);
}

static struct vm_acl set(const char *lines)
{
	struct vm_acl acl = VM_ACL_INIT;

	assert_int_equal(vm_acl_parse(lines, &acl, &err), 0);
	return acl;
}

static void test_union(void **state)
{
	VM_AUTO(vm_acl_free) struct vm_acl acl = VM_ACL_INIT;

	(void)state;
	vm_acl_add(&acl, 'c', 10, 196, VM_ACL_READ, "static", "/dev/vfio/vfio");
	vm_acl_add(&acl, 'c', 136, VM_ACL_ANY, VM_ACL_READ | VM_ACL_WRITE, "static", NULL);
	vm_acl_add(&acl, 'c', 10, 196, VM_ACL_WRITE, "hostdev0", "/dev/other");
	vm_acl_add(&acl, 'c', 10, 196, VM_ACL_WRITE, "hostdev1", NULL);
	vm_acl_add(&acl, 'c', 10, 196, VM_ACL_WRITE, "hostdev0", NULL);
	vm_acl_add(&acl, 'b', 10, 196, VM_ACL_READ, "virtio-disk0", "/dev/sda");
	vm_acl_add(&acl, 'c', 2, 0, 0, "nothing", NULL);
	vm_acl_add(&acl, 'c', VM_ACL_ANY, 3, VM_ACL_MKNOD, NULL, NULL);
	vm_acl_add(&acl, 'c', 10, VM_ACL_ANY, VM_ACL_READ, NULL, NULL);
	assert_set(&acl, "b 10:196 r; c 10:196 rw; c 10:* r; c 136:* rw; c *:3 m");
	assert_string_equal(acl.v[1].by, "static,hostdev0,hostdev1");
	assert_string_equal(acl.v[1].path, "/dev/vfio/vfio");
	assert_null(acl.v[2].by);
	assert_null(acl.v[3].path);
	/* names given together are split */
	vm_acl_add(&acl, 'c', 10, 196, VM_ACL_READ, "hostdev1,hostdev,,static", NULL);
	assert_string_equal(acl.v[1].by, "static,hostdev0,hostdev1,hostdev");
}

static void test_difference(void **state)
{
	static const struct {
		const char *from, *to, *more, *less;
	} cases[] = {
		{ "", "c 1:3 rw\n", "c 1:3 rw", "" },
		{ "c 1:3 rw\n", "c 1:3 rw\n", "", "" },
		{ "c 1:3 r\n", "c 1:3 rw\n", "c 1:3 w", "" },
		{ "c 1:3 rw\n", "c 1:3 r\n", "", "c 1:3 w" },
		{ "c 1:3 rw\nb 8:0 r\n", "c 1:3 wm\nb 8:1 r\n", "b 8:1 r; c 1:3 m", "b 8:0 r; c 1:3 r" },
		/* a wildcard is another rule */
		{ "c 136:* rw\n", "c 136:0 rw\n", "c 136:0 rw", "c 136:* rw" },
		{ "c 1:3 rw\n", "b 1:3 rw\n", "b 1:3 rw", "c 1:3 rw" },
	};

	(void)state;
	for (size_t i = 0; i < VM_COUNT(cases); i++) {
		VM_AUTO(vm_acl_free) struct vm_acl from = set(cases[i].from);
		VM_AUTO(vm_acl_free) struct vm_acl to = set(cases[i].to);
		VM_AUTO(vm_acl_free) struct vm_acl more = VM_ACL_INIT;
		VM_AUTO(vm_acl_free) struct vm_acl less = VM_ACL_INIT;

		vm_acl_diff(&from, &to, &more);
		vm_acl_diff(&to, &from, &less);
		assert_set(&more, cases[i].more);
		assert_set(&less, cases[i].less);
		assert_int_equal(vm_acl_equal(&from, &to), more.n == 0 && less.n == 0);
		vm_acl_keep_common(&from, &to);
		vm_acl_diff(&to, &from, &less);
		assert_int_equal(less.n, 0);
	}
}

static void test_allows(void **state)
{
	VM_AUTO(vm_acl_free) struct vm_acl acl = set("c 1:3 rw\nc 136:* r\nb 1:3 r\nc *:7 w\n");
	VM_AUTO(vm_acl_free) struct vm_acl all = set("a *:* rwm\n");

	(void)state;
	assert_true(vm_acl_allows(&acl, 'c', 1, 3, VM_ACL_READ | VM_ACL_WRITE));
	assert_false(vm_acl_allows(&acl, 'c', 1, 3, VM_ACL_MKNOD));
	assert_false(vm_acl_allows(&acl, 'b', 1, 3, VM_ACL_WRITE));
	assert_true(vm_acl_allows(&acl, 'c', 136, 12, VM_ACL_READ));
	assert_false(vm_acl_allows(&acl, 'c', 137, 12, VM_ACL_READ));
	assert_true(vm_acl_allows(&acl, 'c', 99, 7, VM_ACL_WRITE));
	assert_true(all.all);
	assert_true(vm_acl_allows(&all, 'b', 1, 1, VM_ACL_MKNOD));
	vm_acl_keep_common(&all, &acl);
	assert_true(vm_acl_equal(&all, &acl));
}

static void test_text(void **state)
{
	static const char *const bad[] = {
		"c", "c ", "c 1", "c 1:", "c 1:3", "c 1:3 ", "c 1:3 x", "c 1:3 rr", "c 1:3 rw ", "d 1:3 r",
		"c 1:3r", "c :3 r", "c 4294967295:3 r", "c 99999999999:3 r", "c -1:3 r", "c 1:3 rw\n\n",
		" c 1:3 r", "c  1:3 r", "a 1:* rwm", "cc 1:3 r", "c 1:*3 r", "c 1:3\n rw",
	};
	struct vm_acl acl = VM_ACL_INIT;
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;

	(void)state;
	acl = set("c 1:3 rwm\nb *:* r\nc 4294967294:0 w");
	assert_set(&acl, "b *:* r; c 1:3 rwm; c 4294967294:0 w");
	vm_acl_free(&acl);
	for (size_t i = 0; i < VM_COUNT(bad); i++) {
		if (vm_acl_parse(bad[i], &acl, &err) == 0)
			fail_msg("'%s' was taken for a rule", bad[i]);
		assert_int_equal(err.kind, VM_BAD_INPUT);
	}
	for (unsigned i = 0; i <= VM_ACL_RULES_MAX; i++)
		vm_strbuf_printf(&b, "c 1:%u r\n", i);
	assert_int_equal(vm_acl_parse(b.text, &acl, &err), -1);
	assert_string_equal(err.msg, "more than 4096 device rules");
}

static void test_record(void **state)
{
	static const char *const bad[] = { "", "c 1:3 rw", "c 1:3 rw static", "c 1:3 rw  /dev/null",
					   "a *:* rwm - -", "c 1:3 q static /dev/null" };
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	VM_AUTO(vm_acl_free) struct vm_acl acl = VM_ACL_INIT;
	VM_AUTO(vm_acl_free) struct vm_acl back = VM_ACL_INIT;

	(void)state;
	vm_acl_add(&acl, 'c', 1, 3, VM_ACL_READ, "static,a", "/dev/with space/null");
	vm_acl_add(&acl, 'c', 136, VM_ACL_ANY, VM_ACL_WRITE, "static", NULL);
	vm_acl_add(&acl, 'b', 7, 0, VM_ACL_WRITE, NULL, "/dev/loop0");
	vm_record_set(&r, "acl_rule", "old");
	vm_acl_to_record(&acl, "acl_rule", &r);
	assert_string_equal(vm_record_nth(&r, "acl_rule", 1), "c 1:3 r static,a /dev/with space/null");
	assert_int_equal(vm_acl_from_record(&r, "acl_rule", &back, &err), 0);
	assert_true(vm_acl_equal(&acl, &back));
	assert_null(back.v[0].by);
	assert_string_equal(back.v[1].by, "static,a");
	assert_string_equal(back.v[1].path, "/dev/with space/null");
	assert_null(back.v[2].path);
	for (size_t i = 0; i < VM_COUNT(bad); i++) {
		struct vm_acl none = VM_ACL_INIT;

		vm_record_set(&r, "acl_rule", bad[i]);
		assert_int_equal(vm_acl_from_record(&r, "acl_rule", &none, &err), -1);
		assert_int_equal(err.kind, VM_BAD_INPUT);
	}
}

/* ---- from nodes ---- */
static void test_nodes(void **state)
{
	VM_AUTO(vm_nodes_free) struct vm_nodes nodes = VM_NODES_INIT;
	VM_AUTO(vm_acl_free) struct vm_acl acl = VM_ACL_INIT;
	char dir[] = "/tmp/vm-test-acl-XXXXXX", link[64], file[64];
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(link, sizeof(link), "%s/link", dir);
	snprintf(file, sizeof(file), "%s/file", dir);
	assert_int_equal(symlink("/dev/null", link), 0);
	assert_int_equal(close(creat(file, 0600)), 0);
	assert_int_equal(stat("/dev/null", &st), 0);
	vm_nodes_add(&nodes, link, VM_NODE_READ, false, "disk0");
	vm_nodes_add(&nodes, "/dev/null", VM_NODE_READ | VM_NODE_WRITE, true, "static");
	vm_nodes_add(&nodes, file, VM_NODE_READ, false, "file");
	vm_nodes_add(&nodes, dir, VM_NODE_READ, false, "dir");
	vm_nodes_add(&nodes, "/nowhere/at/all", VM_NODE_READ, true, "absent");
	vm_nodes_add_major(&nodes, 136, VM_NODE_WRITE, "static");
	assert_int_equal(vm_acl_from_nodes(&nodes, -1, &acl, &err), 0);
	assert_set(&acl, "c 1:3 rw; c 136:* w");
	assert_string_equal(acl.v[0].by, "disk0,static");
	assert_string_equal(acl.v[0].path, link);
	vm_nodes_add(&nodes, "/nowhere/at/all", VM_NODE_READ, false, "serial0");
	assert_int_equal(vm_acl_from_nodes(&nodes, -1, &acl, &err), -1);
	assert_int_equal(err.kind, VM_NOT_FOUND);
	assert_string_equal(err.msg, "serial0: device node /nowhere/at/all: No such file or directory");
	unlink(link);
	unlink(file);
	rmdir(dir);
}

static const char document[] =
	"<domain type='qemu'><name>a</name><memory>65536</memory>"
	"<os><type arch='x86_64' machine='q35'>hvm</type>"
	"<loader readonly='yes' type='pflash'>/fw/code</loader><nvram>/fw/vars</nvram></os><features><acpi/></features><devices>"
	"<disk type='block' device='disk'><alias name='ua-d'/><source dev='/dev/sdx'/>"
	"<backingStore type='file'><format type='raw'/><source file='/img/base'/><backingStore/></backingStore>"
	"<target dev='vda'/></disk>"
	"<disk type='block' device='cdrom'><source dev='/dev/sr0'/><target dev='sda'/></disk>"
	"<disk type='file' device='disk'><source file='/img/ro'/><target dev='vdb'/><readonly/></disk>"
	"<disk type='file' device='cdrom'><target dev='sdb'/></disk>"
	"<serial type='dev'><source path='/dev/ttyS0'/></serial><serial type='pty'/>"
	"<channel type='unix'><target type='virtio' name='x'/></channel>"
	"<rng model='virtio'><backend model='random'>/dev/hwrng</backend></rng>"
	"<rng model='virtio'><backend model='random'/></rng>"
	"<rng model='virtio'><backend model='builtin'/></rng>"
	"</devices></domain>";

static char *list_nodes(const struct vm_nodes *nodes)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;

	for (size_t i = 0; i < nodes->n; i++) {
		const struct vm_node *n = &nodes->v[i];

		if (n->path != NULL)
			vm_strbuf_puts(&b, n->path);
		else
			vm_strbuf_printf(&b, "%u:*", n->major);
		vm_strbuf_printf(&b, " %s%s%s %s\n", (n->perms & VM_NODE_READ) != 0 ? "r" : "",
				 (n->perms & VM_NODE_WRITE) != 0 ? "w" : "", n->optional ? "?" : "", n->by);
	}
	return vm_strbuf_take(&b);
}

static void test_domain(void **state)
{
	struct vm_conf conf = { .cgroup_device_acl = (char *)(uintptr_t) "/dev/null, /dev/kvm,relative" };
	struct vm_domain *d = NULL;
	struct vm_xml *doc = NULL;
	struct vm_nodes nodes = VM_NODES_INIT;
	static const char devices[] = "/dev/sdx rw? ua-d\n"
				      "/img/base r? ua-d\n"
				      "/dev/sr0 r? sda\n"
				      "/img/ro r? vdb\n"
				      "/fw/code r? loader\n"
				      "/fw/vars rw? nvram\n"
				      "/dev/ttyS0 rw serial\n"
				      "/dev/hwrng rw rng\n"
				      "/dev/urandom rw rng\n";

	char *got;

	(void)state;
	if (vm_xml_parse(document, strlen(document), "a.xml", &doc, &err) < 0 ||
	    vm_domain_parse(doc, false, &d, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(vm_domain_nodes(d, NULL, &nodes, &err), 0);
	got = list_nodes(&nodes);
	assert_memory_equal(got, "136:* rw static\n/dev/null rw? static\n/dev/full rw? static\n", 57);
	assert_non_null(strstr(got, "/dev/vfio/vfio rw? static\n"));
	assert_string_equal(strstr(got, "/dev/vfio/vfio rw? static\n") + 26, devices);
	free(got);
	vm_nodes_free(&nodes);
	/* vm.conf's list replaces the built-in one. */
	assert_int_equal(vm_domain_nodes(d, &conf, &nodes, &err), 0);
	got = list_nodes(&nodes);
	assert_memory_equal(got, "136:* rw static\n/dev/null rw? static\n/dev/kvm rw? static\n/dev/sdx", 65);
	free(got);
	vm_nodes_free(&nodes);
	vm_domain_free(d);
	vm_xml_free(doc);
}

/* ---- the program ---- */
/* What the kernel does with its instructions, for those that it has. */
struct machine {
	const struct vm_acl *acl;
	struct bpf_cgroup_dev_ctx ctx;
	uint64_t r[11];
	uint8_t stack[64];
	uint32_t value; /* that a lookup found */
};

static uint8_t *memory(struct machine *m, uint64_t address, size_t size)
{
	const struct {
		void *at;
		size_t size;
	} places[] = { { &m->ctx, sizeof(m->ctx) }, { m->stack, sizeof(m->stack) }, { &m->value, 4 } };

	for (size_t i = 0; i < VM_COUNT(places); i++) {
		uint64_t start = (uintptr_t)places[i].at;

		if (address >= start && address + size <= start + places[i].size)
			return (uint8_t *)places[i].at + (address - start);
	}
	fail_msg("the program goes astray");
	return NULL;
}

static uint64_t lookup(struct machine *m)
{
	struct vm_acl_key want, key;

	assert_int_equal(m->r[1], 77);
	memcpy(&want, memory(m, m->r[2], sizeof(want)), sizeof(want));
	for (size_t i = 0; i < m->acl->n; i++) {
		vm_acl_to_key(&m->acl->v[i], &key, &m->value);
		if (memcmp(&key, &want, sizeof(key)) == 0)
			return (uintptr_t)&m->value;
	}
	return 0;
}

static uint64_t alu(uint8_t op, uint64_t a, uint64_t b)
{
	switch (op) {
	case BPF_MOV:
		return b;
	case BPF_ADD:
		return a + b;
	case BPF_AND:
		return a & b;
	case BPF_OR:
		return a | b;
	case BPF_RSH:
		return a >> b;
	default:
		fail_msg("operation %u", op);
		return 0;
	}
}

static bool run(const struct vm_acl *acl, char type, uint32_t major, uint32_t minor, uint32_t access)
{
	struct machine m = {
		.acl = acl,
		.ctx = { .access_type = access << 16 | (type == 'b' ? BPF_DEVCG_DEV_BLOCK
								    : BPF_DEVCG_DEV_CHAR),
			 .major = major,
			 .minor = minor },
	};
	struct bpf_insn code[VM_ACL_INSNS];
	size_t n = vm_acl_program(77, code);

	assert_true(n <= VM_ACL_INSNS);
	m.r[1] = (uintptr_t)&m.ctx;
	m.r[10] = (uintptr_t)(m.stack + sizeof(m.stack));
	for (size_t pc = 0; pc < n; pc++) {
		const struct bpf_insn *i = &code[pc];
		uint64_t src = BPF_SRC(i->code) == BPF_X ? m.r[i->src_reg] : (uint64_t)(int64_t)i->imm;
		uint32_t word;

		switch (BPF_CLASS(i->code)) {
		case BPF_ALU64:
			m.r[i->dst_reg] = alu(BPF_OP(i->code), m.r[i->dst_reg], src);
			break;
		case BPF_LDX:
			memcpy(&word, memory(&m, m.r[i->src_reg] + (uint64_t)(int64_t)i->off, 4), 4);
			m.r[i->dst_reg] = word;
			break;
		case BPF_STX:
		case BPF_ST:
			word = BPF_CLASS(i->code) == BPF_ST ? (uint32_t)i->imm : (uint32_t)m.r[i->src_reg];
			memcpy(memory(&m, m.r[i->dst_reg] + (uint64_t)(int64_t)i->off, 4), &word, 4);
			break;
		case BPF_LD:
			assert_int_equal(i->src_reg, BPF_PSEUDO_MAP_FD);
			m.r[i->dst_reg] = (uint64_t)(int64_t)i->imm;
			pc++;
			break;
		case BPF_JMP:
			if (BPF_OP(i->code) == BPF_EXIT)
				return m.r[0] == 1;
			if (BPF_OP(i->code) == BPF_CALL) {
				assert_int_equal(i->imm, BPF_FUNC_map_lookup_elem);
				m.r[0] = lookup(&m);
				memset(&m.r[1], 0xa5, 5 * sizeof(m.r[1])); /* not kept by a call */
			} else if ((BPF_OP(i->code) == BPF_JEQ) == (m.r[i->dst_reg] == src)) {
				pc += (size_t)i->off;
			}
			break;
		default:
			fail_msg("instruction %zu", pc);
		}
	}
	fail_msg("the program has no end");
	return false;
}

static void test_program(void **state)
{
	enum { M = BPF_DEVCG_ACC_MKNOD, R = BPF_DEVCG_ACC_READ, W = BPF_DEVCG_ACC_WRITE };
	VM_AUTO(vm_acl_free) struct vm_acl acl =
		set("c 1:3 rw\nc 1:5 r\nb 1:3 r\nc 136:* rw\nc *:9 r\nc 1:9 w\nb 253:* rwm\n");
	VM_AUTO(vm_acl_free) struct vm_acl none = VM_ACL_INIT;
	VM_AUTO(vm_acl_free) struct vm_acl every = set("b *:* r\n");

	(void)state;
	assert_true(run(&acl, 'c', 1, 3, R | W));
	assert_true(run(&acl, 'c', 1, 3, R));
	assert_false(run(&acl, 'c', 1, 3, M));
	assert_false(run(&acl, 'c', 1, 3, R | W | M));
	assert_true(run(&acl, 'c', 1, 5, R));
	assert_false(run(&acl, 'c', 1, 5, W));
	assert_false(run(&acl, 'c', 1, 5, R | W));
	assert_true(run(&acl, 'b', 1, 3, R));
	assert_false(run(&acl, 'b', 1, 3, W));
	assert_false(run(&acl, 'b', 1, 5, R));
	assert_true(run(&acl, 'c', 136, 0, R | W));
	assert_true(run(&acl, 'c', 136, 4000, R | W));
	assert_false(run(&acl, 'b', 136, 0, R));
	/* several rules of one node add up */
	assert_true(run(&acl, 'c', 1, 9, R | W));
	assert_true(run(&acl, 'c', 77, 9, R));
	assert_false(run(&acl, 'c', 77, 9, W));
	assert_true(run(&acl, 'b', 253, 7, R | W | M));
	assert_false(run(&acl, 'c', 10, 232, R));
	assert_false(run(&none, 'c', 1, 3, R));
	assert_true(run(&every, 'b', 8, 0, R));
	assert_false(run(&every, 'c', 8, 0, R));
	assert_false(run(&every, 'b', 8, 0, W));
}

static void test_keys(void **state)
{
	VM_AUTO(vm_acl_free) struct vm_acl acl = set("c 1:3 rw\nb 1:3 m\nc 136:* r\nb *:* w\n");
	VM_AUTO(vm_acl_free) struct vm_acl back = VM_ACL_INIT;
	struct vm_acl_key key;
	uint32_t value;

	(void)state;
	for (size_t i = 0; i < acl.n; i++) {
		vm_acl_to_key(&acl.v[i], &key, &value);
		assert_int_equal(vm_acl_from_key(&key, value, &back), 0);
	}
	assert_true(vm_acl_equal(&acl, &back));
	key.type = 3;
	assert_int_equal(vm_acl_from_key(&key, value, &back), -1);
	key.type = BPF_DEVCG_DEV_CHAR;
	assert_int_equal(vm_acl_from_key(&key, 8, &back), -1);
}

/* By policy a side that cannot be had is refused; by itself a guest goes without, which is said. */
static void test_choice_without_groups(void **state)
{
	static const struct {
		int backend;
		const char *msg;
	} refused[] = {
		{ 1, "device rules by cgroup v1: the guest has no group of cgroup v1's devices controller" },
		{ 2, "device rules by cgroup v2: the guest has no group of cgroup v2" },
		{ 3, "device rules by cgroup v1: the guest has no group of cgroup v1's devices controller" },
	};
	VM_AUTO(vm_cgroup_close) struct vm_cgroup c = VM_CGROUP_INIT;
	char *note = NULL;
	unsigned sides;

	(void)state;
	for (size_t i = 0; i < VM_COUNT(refused); i++) {
		err = VM_ERR_INIT;
		assert_int_equal(vm_acl_choose(&c, refused[i].backend, &sides, &note, &err), -1);
		assert_int_equal(err.kind, VM_DENIED);
		assert_string_equal(err.msg, refused[i].msg);
		assert_string_equal(err.hint, "see acl_backend in vm.conf(5)");
		assert_null(note);
	}
	err = VM_ERR_INIT;
	assert_int_equal(vm_acl_choose(&c, 0, &sides, &note, &err), 0);
	assert_int_equal(sides, 0);
	assert_string_equal(note, "no device rules: v1: the guest has no group of cgroup v1's devices controller; "
				  "v2: the guest has no group of cgroup v2");
	free(note);
	assert_int_equal(vm_acl_choose(&c, 4, &sides, &note, &err), 0);
	assert_int_equal(sides, 0);
	assert_null(note);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_union),	 cmocka_unit_test(test_difference),
		cmocka_unit_test(test_allows),	 cmocka_unit_test(test_text),
		cmocka_unit_test(test_record),	 cmocka_unit_test(test_nodes),
		cmocka_unit_test(test_domain),	 cmocka_unit_test(test_program),
		cmocka_unit_test(test_keys),	 cmocka_unit_test(test_choice_without_groups),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
