/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Device rules of v2: a program of ours attached to the group, and a hash map with the rules.
 *
 * Every change builds map and program anew and replaces the old program in one step: nothing that is in force is ever
 * half changed, and a map that is full is no case of its own.  The group keeps both alive.
 *
 * Source: Linux include/uapi/linux/bpf.h, kernel/bpf/cgroup.c; bpf(2).
 */
#include "acl_impl.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <vm/cleanup.h>


#define PROGRAMS_MAX 64u /* attached to one group and those above it */
#define MAP_MIN	     64u

/* Where the program keeps its key, from the frame pointer. */
enum { KEY = -12, KEY_TYPE = KEY, KEY_MAJOR = KEY + 4, KEY_MINOR = KEY + 8 };
#define ANY (-1)

static long bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
	return syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}


static uint64_t to_u64(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

/* ---- the program ---- */
struct code {
	struct bpf_insn *v;
	size_t n;
};

static void emit(struct code *c, int op, int dst, int src, int off, int imm)
{
	c->v[c->n++] = (struct bpf_insn){ .code = (uint8_t)op,
					  .dst_reg = (uint8_t)(dst & 15),
					  .src_reg = (uint8_t)(src & 15),
					  .off = (int16_t)off,
					  .imm = imm };
}

#define LOAD(c, dst, src, off)	emit(c, BPF_LDX | BPF_MEM | BPF_W, dst, src, off, 0)
#define STORE(c, off, src)	emit(c, BPF_STX | BPF_MEM | BPF_W, BPF_REG_10, src, off, 0)
#define STORE_IMM(c, off, imm)	emit(c, BPF_ST | BPF_MEM | BPF_W, BPF_REG_10, 0, off, imm)
#define ALU_REG(c, op, dst, src) emit(c, BPF_ALU64 | (op) | BPF_X, dst, src, 0, 0)
#define ALU_IMM(c, op, dst, imm) emit(c, BPF_ALU64 | (op) | BPF_K, dst, 0, 0, imm)

/* Adds the permissions of the entry under the present key, if there is one, to register 9. */
static void emit_lookup(struct code *c, int map_fd)
{
	emit(c, BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, map_fd);
	emit(c, 0, 0, 0, 0, 0); /* the constant's upper half */
	ALU_REG(c, BPF_MOV, BPF_REG_2, BPF_REG_10);
	ALU_IMM(c, BPF_ADD, BPF_REG_2, KEY);
	emit(c, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem);
	emit(c, BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 2, 0);
	LOAD(c, BPF_REG_1, BPF_REG_0, 0);
	ALU_REG(c, BPF_OR, BPF_REG_9, BPF_REG_1);
}

/*
 * Register 6: context; 7: what is asked for; 9: what the rules that match allow together.  What is asked for must be
 * allowed as a whole.
 */
size_t vm_acl_program(int map_fd, struct bpf_insn *insns)
{
	const int major = offsetof(struct bpf_cgroup_dev_ctx, major);
	const int minor = offsetof(struct bpf_cgroup_dev_ctx, minor);
	struct code code = { insns, 0 }, *c = &code;

	ALU_REG(c, BPF_MOV, BPF_REG_6, BPF_REG_1);
	ALU_IMM(c, BPF_MOV, BPF_REG_9, 0);
	/* access_type: the kind of device below, the access in the upper half */
	LOAD(c, BPF_REG_7, BPF_REG_6, offsetof(struct bpf_cgroup_dev_ctx, access_type));
	ALU_REG(c, BPF_MOV, BPF_REG_1, BPF_REG_7);
	ALU_IMM(c, BPF_AND, BPF_REG_1, 0xffff);
	STORE(c, KEY_TYPE, BPF_REG_1);
	ALU_IMM(c, BPF_RSH, BPF_REG_7, 16);
	LOAD(c, BPF_REG_1, BPF_REG_6, major);
	STORE(c, KEY_MAJOR, BPF_REG_1);
	LOAD(c, BPF_REG_1, BPF_REG_6, minor);
	STORE(c, KEY_MINOR, BPF_REG_1);
	emit_lookup(c, map_fd);
	STORE_IMM(c, KEY_MINOR, ANY);
	emit_lookup(c, map_fd); /* major:* */
	STORE_IMM(c, KEY_MAJOR, ANY);
	emit_lookup(c, map_fd); /* *:* */
	LOAD(c, BPF_REG_1, BPF_REG_6, minor);
	STORE(c, KEY_MINOR, BPF_REG_1);
	emit_lookup(c, map_fd); /* *:minor */
	ALU_REG(c, BPF_AND, BPF_REG_9, BPF_REG_7);
	ALU_IMM(c, BPF_MOV, BPF_REG_0, 0);
	emit(c, BPF_JMP | BPF_JNE | BPF_X, BPF_REG_9, BPF_REG_7, 1, 0);
	ALU_IMM(c, BPF_MOV, BPF_REG_0, 1);
	emit(c, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	return c->n;
}

/* ---- rules as entries ---- */
static const struct {
	unsigned perm;
	uint32_t bit;
} bits[] = {
	{ VM_ACL_READ, BPF_DEVCG_ACC_READ },
	{ VM_ACL_WRITE, BPF_DEVCG_ACC_WRITE },
	{ VM_ACL_MKNOD, BPF_DEVCG_ACC_MKNOD },
};

void vm_acl_to_key(const struct vm_acl_rule *rule, struct vm_acl_key *ret_key, uint32_t *ret_value)
{
	*ret_key = (struct vm_acl_key){
		.type = rule->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR,
		.major = rule->major,
		.minor = rule->minor,
	};
	*ret_value = 0;
	for (size_t i = 0; i < VM_COUNT(bits); i++)
		if ((rule->perms & bits[i].perm) != 0)
			*ret_value |= bits[i].bit;
}

int vm_acl_from_key(const struct vm_acl_key *key, uint32_t value, struct vm_acl *acl)
{
	unsigned perms = 0;

	for (size_t i = 0; i < VM_COUNT(bits); i++)
		if ((value & bits[i].bit) != 0)
			perms |= bits[i].perm;
	if (perms == 0 || (key->type != BPF_DEVCG_DEV_BLOCK && key->type != BPF_DEVCG_DEV_CHAR))
		return -1;
	vm_acl_add(acl, key->type == BPF_DEVCG_DEV_BLOCK ? 'b' : 'c', key->major, key->minor, perms,
		   NULL, NULL);
	return 0;
}

/* ---- loading ---- */
/* EPERM with the capability that a call needs; old kernels charge locked memory besides. */
static int refused(struct vm_err *err, const char *what, const char *capability)
{
	if (errno == EPERM || errno == EACCES) {
		vm_err_set(err, VM_DENIED, "%s: needs %s", what, capability);
		err->sys = EPERM;
		return vm_err_hint(err, "run as root with all capabilities; on kernels before 5.11 RLIMIT_MEMLOCK must "
					"allow it, too");
	}
	if (errno == ENOSYS || errno == EINVAL)
		return vm_err_sys_kind(err, VM_UNSUPPORTED, "%s", what);
	return vm_err_sys(err, "%s", what);
}

static int make_map(const struct vm_acl *acl, int *ret, struct vm_err *err)
{
	union bpf_attr attr;
	VM_AUTO_FD int fd = -1;
	uint32_t size = MAP_MIN;

	while (size < acl->n)
		size *= 2;
	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_HASH;
	attr.key_size = sizeof(struct vm_acl_key);
	attr.value_size = sizeof(uint32_t);
	attr.max_entries = size;
	memcpy(attr.map_name, VM_ACL_PROGRAM, sizeof(VM_ACL_PROGRAM));
	fd = (int)bpf(BPF_MAP_CREATE, &attr);
	if (fd < 0)
		return refused(err, "make a map of device rules", "CAP_BPF");
	for (size_t i = 0; i < acl->n; i++) {
		struct vm_acl_key key;
		uint32_t value;

		vm_acl_to_key(&acl->v[i], &key, &value);
		memset(&attr, 0, sizeof(attr));
		attr.map_fd = (uint32_t)fd;
		attr.key = to_u64(&key);
		attr.value = to_u64(&value);
		if (bpf(BPF_MAP_UPDATE_ELEM, &attr) < 0)
			return vm_err_sys(err, "fill the map of device rules");
	}
	*ret = vm_take_fd(&fd);
	return 0;
}

static int load_program(int map_fd, int *ret, struct vm_err *err)
{
	struct bpf_insn insns[VM_ACL_INSNS];
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insn_cnt = (uint32_t)vm_acl_program(map_fd, insns);
	attr.insns = to_u64(insns);
	attr.license = to_u64("GPL");
	memcpy(attr.prog_name, VM_ACL_PROGRAM, sizeof(VM_ACL_PROGRAM));
	*ret = (int)bpf(BPF_PROG_LOAD, &attr);
	return *ret < 0 ? refused(err, "load the program of device rules",
				  "CAP_BPF and CAP_NET_ADMIN")
			: 0;
}

/* ---- what is attached ---- */
struct attached {
	uint32_t id[PROGRAMS_MAX], n, flags;
};

static int query(int dir, bool effective, struct attached *ret, struct vm_err *err)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.query.target_fd = (uint32_t)dir;
	attr.query.attach_type = BPF_CGROUP_DEVICE;
	attr.query.query_flags = effective ? BPF_F_QUERY_EFFECTIVE : 0;
	attr.query.prog_cnt = PROGRAMS_MAX;
	attr.query.prog_ids = to_u64(ret->id);
	if (bpf(BPF_PROG_QUERY, &attr) < 0)
		return refused(err, "ask for the programs of device rules", "CAP_NET_ADMIN");
	ret->n = attr.query.prog_cnt;
	ret->flags = attr.query.attach_flags;
	return 0;
}

/* Name and first map of a program. 1 = it is gone. */
static int program_info(uint32_t id, int *ret_fd, char name[16], uint32_t *ret_map,
			struct vm_err *err)
{
	struct bpf_prog_info info;
	VM_AUTO_FD int fd = -1;
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_id = id;
	fd = (int)bpf(BPF_PROG_GET_FD_BY_ID, &attr);
	if (fd < 0 && errno == ENOENT)
		return 1;
	if (fd < 0)
		return refused(err, "look at a program of device rules", "CAP_SYS_ADMIN");
	memset(&info, 0, sizeof(info));
	*ret_map = 0;
	info.nr_map_ids = 1;
	info.map_ids = to_u64(ret_map);
	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof(info);
	attr.info.info = to_u64(&info);
	if (bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) < 0)
		return refused(err, "look at a program of device rules", "CAP_SYS_ADMIN");
	memcpy(name, info.name, 16);
	name[15] = 0;
	*ret_fd = vm_take_fd(&fd);
	return 0;
}

/* Our program among those attached: 0 found, 1 none. */
static int find_ours(const struct attached *a, int *ret_fd, uint32_t *ret_map, struct vm_err *err)
{
	for (uint32_t i = 0; i < a->n; i++) {
		VM_AUTO_FD int fd = -1;
		char name[16];
		uint32_t map;
		int r = program_info(a->id[i], &fd, name, &map, err);

		if (r < 0)
			return -1;
		if (r == 0 && strcmp(name, VM_ACL_PROGRAM) == 0) {
			*ret_fd = vm_take_fd(&fd);
			*ret_map = map;
			return 0;
		}
	}
	return 1;
}

int vm_acl_others(int dir, bool effective, struct vm_acl_other *ret, size_t max, struct vm_err *err)
{
	struct attached a = { .n = 0 };
	int n = 0;

	if (query(dir, effective, &a, err) < 0)
		return -1;
	for (uint32_t i = 0; i < a.n && (size_t)n < max; i++) {
		struct vm_err ignored = VM_ERR_INIT;
		VM_AUTO_FD int fd = -1;
		char name[16] = "";
		uint32_t map;

		if (program_info(a.id[i], &fd, name, &map, &ignored) > 0 ||
		    strcmp(name, VM_ACL_PROGRAM) == 0)
			continue;
		ret[n].id = a.id[i];
		memcpy(ret[n++].name, name, sizeof(name));
	}
	return n;
}

/* ---- the side ---- */
static int attach(int dir, int program, int old, struct vm_err *err)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (uint32_t)dir;
	attr.attach_bpf_fd = (uint32_t)program;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	if (old >= 0) {
		attr.attach_flags |= BPF_F_REPLACE;
		attr.replace_bpf_fd = (uint32_t)old;
	}
	if (bpf(BPF_PROG_ATTACH, &attr) == 0)
		return 0;
	if (errno != EPERM)
		return vm_err_sys(err, "attach the program of device rules");
	vm_err_set(err, VM_IN_USE, "a program that admits no other decides about the devices of this group or one "
				   "above it");
	return vm_err_hint(err, "bpftool cgroup tree shows it");
}

static int read_map(int fd, struct vm_acl *acl, struct vm_err *err)
{
	struct vm_acl_key key, *last = NULL;
	union bpf_attr attr;
	uint32_t value = 0; /* the kernel writes it, which compilers do not see */

	for (;;) {
		memset(&attr, 0, sizeof(attr));
		attr.map_fd = (uint32_t)fd;
		attr.key = to_u64(last);
		attr.next_key = to_u64(&key);
		if (bpf(BPF_MAP_GET_NEXT_KEY, &attr) < 0)
			return errno == ENOENT ? 0 : vm_err_sys(err, "read the device rules");
		memset(&attr, 0, sizeof(attr));
		attr.map_fd = (uint32_t)fd;
		attr.key = to_u64(&key);
		attr.value = to_u64(&value);
		if (bpf(BPF_MAP_LOOKUP_ELEM, &attr) < 0)
			return vm_err_sys(err, "read the device rules");
		if (vm_acl_from_key(&key, value, acl) < 0 || acl->n > VM_ACL_RULES_MAX)
			return vm_err_set(err, VM_BAD_INPUT, "the map of device rules is not ours");
		last = &key;
	}
}

/* Read back: our program is among those attached, and its map has the rules.  Through descriptors we have, since
 * fewer capabilities do for that. */
static int verify(int dir, int program, int map, const struct vm_acl *to, struct vm_err *err)
{
	VM_AUTO(vm_acl_free) struct vm_acl now = VM_ACL_INIT;
	struct attached a = { .n = 0 };
	struct bpf_prog_info info;
	union bpf_attr attr;
	bool there = false;

	memset(&info, 0, sizeof(info));
	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = (uint32_t)program;
	attr.info.info_len = sizeof(info);
	attr.info.info = to_u64(&info);
	if (bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) < 0)
		return vm_err_sys(err, "look at the program of device rules");
	if (query(dir, false, &a, err) < 0 || read_map(map, &now, err) < 0)
		return -1;
	for (uint32_t i = 0; i < a.n; i++)
		there |= a.id[i] == info.id;
	if (!there || !vm_acl_equal(&now, to))
		return vm_err_set(err, VM_SYSTEM, "the kernel did not keep the device rules");
	return 0;
}

static int apply(int dir, const struct vm_acl *from, const struct vm_acl *to, struct vm_err *err)
{
	VM_AUTO_FD int map = -1;
	VM_AUTO_FD int program = -1;
	VM_AUTO_FD int old = -1;
	struct attached a = { .n = 0 };
	uint32_t old_map;

	(void)from;
	if (query(dir, false, &a, err) < 0 || find_ours(&a, &old, &old_map, err) < 0)
		return -1;
	if (make_map(to, &map, err) < 0 || load_program(map, &program, err) < 0 ||
	    attach(dir, program, old, err) < 0)
		return -1;
	return verify(dir, program, map, to, err);
}

static int open_map(uint32_t id, int *ret, struct vm_err *err)
{
	struct bpf_map_info info;
	VM_AUTO_FD int fd = -1;
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_id = id;
	fd = (int)bpf(BPF_MAP_GET_FD_BY_ID, &attr);
	if (fd < 0)
		return refused(err, "open the map of device rules", "CAP_SYS_ADMIN");
	memset(&info, 0, sizeof(info));
	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof(info);
	attr.info.info = to_u64(&info);
	if (bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) < 0)
		return vm_err_sys(err, "look at the map of device rules");
	if (info.key_size != sizeof(struct vm_acl_key) || info.value_size != sizeof(uint32_t) ||
	    info.type != BPF_MAP_TYPE_HASH)
		return vm_err_set(err, VM_BAD_INPUT, "the map of device rules is not ours");
	*ret = vm_take_fd(&fd);
	return 0;
}

static int read_ours(int dir, struct vm_acl *ret, struct vm_err *err)
{
	VM_AUTO(vm_acl_free) struct vm_acl acl = VM_ACL_INIT;
	VM_AUTO_FD int program = -1;
	VM_AUTO_FD int map = -1;
	struct attached a = { .n = 0 };
	uint32_t map_id;
	int r;

	if (query(dir, false, &a, err) < 0)
		return -1;
	r = find_ours(&a, &program, &map_id, err);
	if (r > 0)
		return vm_err_set(err, VM_NOT_FOUND, "no program of ours decides about the devices of the group");
	if (r < 0 || open_map(map_id, &map, err) < 0 || read_map(map, &acl, err) < 0)
		return -1;
	*ret = acl;
	acl = VM_ACL_INIT;
	return 0;
}

static int usable(int dir, struct vm_err *err)
{
	VM_AUTO_FD int map = -1;
	VM_AUTO_FD int program = -1;
	const struct vm_acl none = VM_ACL_INIT;
	struct attached a = { .n = 0 };

	if (query(dir, false, &a, err) < 0)
		return -1;
	return make_map(&none, &map, err) < 0 ? -1 : load_program(map, &program, err);
}

const struct vm_acl_ops vm_acl_v2 = { apply, read_ours, usable };
