/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sets of device rules: data only. */
#include <vm/acl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/record.h>
#include <vm/strbuf.h>

#define ALL_PERMS (VM_ACL_READ | VM_ACL_WRITE | VM_ACL_MKNOD)

static void rule_free(struct vm_acl_rule *r)
{
	free(r->by);
	free(r->path);
}

void vm_acl_free(struct vm_acl *acl)
{
	for (size_t i = 0; i < acl->n; i++)
		rule_free(&acl->v[i]);
	free(acl->v);
	*acl = VM_ACL_INIT;
}

static int compare(const struct vm_acl_rule *a, const struct vm_acl_rule *b)
{
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	if (a->major != b->major)
		return a->major < b->major ? -1 : 1;
	return a->minor == b->minor ? 0 : a->minor < b->minor ? -1 : 1;
}

/* Where the rule is (true), or where it belongs. */
static bool find(const struct vm_acl *acl, const struct vm_acl_rule *rule, size_t *ret)
{
	size_t low = 0, high = acl->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = compare(&acl->v[mid], rule);

		if (c == 0) {
			*ret = mid;
			return true;
		}
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	*ret = low;
	return false;
}

static bool has_name(const char *list, const char *name)
{
	size_t len = strlen(name);

	while (*list != 0) {
		size_t n = strcspn(list, ",");

		if (n == len && memcmp(list, name, len) == 0)
			return true;
		list += n;
		list += *list == ',';
	}
	return false;
}

/* by: one name or, from another set, several. */
static void add_names(struct vm_acl_rule *r, const char *by)
{
	VM_AUTO_FREE char *copy = vm_xstrdup(by);
	char *name, *rest = copy;

	while ((name = strsep(&rest, ",")) != NULL) {
		char *old = r->by;

		if (*name == 0 || (old != NULL && has_name(old, name)))
			continue;
		r->by = old == NULL ? vm_xstrdup(name) : vm_xasprintf("%s,%s", old, name);
		free(old);
	}
}

void vm_acl_add(struct vm_acl *acl, char type, uint32_t major, uint32_t minor, unsigned perms,
		const char *by, const char *path)
{
	struct vm_acl_rule rule = { .type = type, .major = major, .minor = minor };
	size_t i;

	perms &= ALL_PERMS;
	if (perms == 0)
		return;
	if (!find(acl, &rule, &i)) {
		acl->v = vm_xreallocarray(acl->v, acl->n + 1, sizeof(*acl->v));
		memmove(&acl->v[i + 1], &acl->v[i], (acl->n - i) * sizeof(*acl->v));
		acl->v[i] = rule;
		acl->n++;
	}
	acl->v[i].perms |= perms;
	if (by != NULL)
		add_names(&acl->v[i], by);
	if (acl->v[i].path == NULL && path != NULL)
		acl->v[i].path = vm_xstrdup(path);
}

void vm_acl_merge(struct vm_acl *acl, const struct vm_acl *more)
{
	acl->all |= more->all;
	for (size_t i = 0; i < more->n; i++) {
		const struct vm_acl_rule *r = &more->v[i];

		vm_acl_add(acl, r->type, r->major, r->minor, r->perms, r->by, r->path);
	}
}

static void drop_name(struct vm_acl_rule *r, const char *by)
{
	VM_AUTO_FREE char *old = r->by;

	r->by = NULL;
	for (char *name, *rest = old; (name = strsep(&rest, ",")) != NULL;)
		if (strcmp(name, by) != 0)
			add_names(r, name);
}

void vm_acl_forget(struct vm_acl *acl, const char *by, const struct vm_acl *rest)
{
	size_t kept = 0;

	for (size_t i = 0; i < acl->n; i++) {
		struct vm_acl_rule r = acl->v[i];
		bool had = r.by != NULL && has_name(r.by, by);
		unsigned perms = 0;

		if (had) {
			drop_name(&r, by);
			perms = vm_acl_perms_of(rest, &r);
		}
		if (had && r.by == NULL) {
			rule_free(&r);
			continue;
		}
		if (perms != 0)
			r.perms = perms;
		acl->v[kept++] = r;
	}
	acl->n = kept;
}

void vm_acl_diff(const struct vm_acl *from, const struct vm_acl *to, struct vm_acl *ret)
{
	struct vm_acl more = VM_ACL_INIT;

	for (size_t i = 0; i < to->n; i++) {
		const struct vm_acl_rule *r = &to->v[i];
		size_t at;
		unsigned had = find(from, r, &at) ? from->v[at].perms : 0;

		vm_acl_add(&more, r->type, r->major, r->minor, r->perms & ~had, r->by, r->path);
	}
	*ret = more;
}

unsigned vm_acl_perms_of(const struct vm_acl *acl, const struct vm_acl_rule *rule)
{
	size_t at;

	if (acl->all)
		return ALL_PERMS;
	return find(acl, rule, &at) ? acl->v[at].perms : 0;
}

void vm_acl_keep_common(struct vm_acl *acl, const struct vm_acl *other)
{
	struct vm_acl common = VM_ACL_INIT;
	const struct vm_acl *from = acl->all ? other : acl;

	common.all = acl->all && other->all;
	for (size_t i = 0; i < from->n; i++) {
		const struct vm_acl_rule *r = &from->v[i];

		vm_acl_add(&common, r->type, r->major, r->minor,
			   r->perms & vm_acl_perms_of(from == acl ? other : acl, r), r->by, r->path);
	}
	vm_acl_free(acl);
	*acl = common;
}

bool vm_acl_equal(const struct vm_acl *a, const struct vm_acl *b)
{
	if (a->n != b->n || a->all != b->all)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (compare(&a->v[i], &b->v[i]) != 0 || a->v[i].perms != b->v[i].perms)
			return false;
	return true;
}

bool vm_acl_allows(const struct vm_acl *acl, char type, uint32_t major, uint32_t minor,
		   unsigned perms)
{
	for (size_t i = 0; i < acl->n; i++) {
		const struct vm_acl_rule *r = &acl->v[i];

		if (r->type == type && (r->major == major || r->major == VM_ACL_ANY) &&
		    (r->minor == minor || r->minor == VM_ACL_ANY) && (perms & ~r->perms) == 0)
			return true;
	}
	return acl->all;
}

char *vm_acl_format_perms(unsigned perms, char *buf)
{
	char *at = buf;

	if ((perms & VM_ACL_READ) != 0)
		*at++ = 'r';
	if ((perms & VM_ACL_WRITE) != 0)
		*at++ = 'w';
	if ((perms & VM_ACL_MKNOD) != 0)
		*at++ = 'm';
	*at = 0;
	return buf;
}

static void format_number(uint32_t n, char *buf, size_t size)
{
	if (n == VM_ACL_ANY)
		snprintf(buf, size, "*");
	else
		snprintf(buf, size, "%u", n);
}

char *vm_acl_format_node(const struct vm_acl_rule *rule, char *buf)
{
	char major[12], minor[12];

	format_number(rule->major, major, sizeof(major));
	format_number(rule->minor, minor, sizeof(minor));
	snprintf(buf, VM_ACL_TEXT, "%s:%s", major, minor);
	return buf;
}

char *vm_acl_format(const struct vm_acl_rule *rule, char *buf)
{
	char node[VM_ACL_TEXT], perms[4];

	snprintf(buf, VM_ACL_TEXT, "%c %.24s %s", rule->type, vm_acl_format_node(rule, node),
		 vm_acl_format_perms(rule->perms, perms));
	return buf;
}

/* A number or '*', and what must follow. */
static int parse_number(const char **at, char next, uint32_t *ret)
{
	uint64_t n = 0;
	const char *c = *at;

	if (*c == '*') {
		n = VM_ACL_ANY;
		c++;
	} else {
		if (*c < '0' || *c > '9')
			return -1;
		for (; *c >= '0' && *c <= '9'; c++) {
			n = n * 10 + (uint64_t)(*c - '0');
			if (n >= VM_ACL_ANY)
				return -1;
		}
	}
	if (*c != next)
		return -1;
	*at = c + 1;
	*ret = (uint32_t)n;
	return 0;
}

/* perms up to `end`; 0 = malformed. */
static unsigned parse_perms(const char *text, size_t len)
{
	unsigned perms = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned bit = text[i] == 'r'   ? VM_ACL_READ
			       : text[i] == 'w' ? VM_ACL_WRITE
			       : text[i] == 'm' ? VM_ACL_MKNOD
						: 0;

		if (bit == 0 || (perms & bit) != 0)
			return 0;
		perms |= bit;
	}
	return perms;
}

/* "c 10:196 rw"; type 'a' is all there is, whatever follows. */
static int parse_rule(const char *line, size_t len, struct vm_acl_rule *ret)
{
	const char *at = line + 2, *end = line + len;
	struct vm_acl_rule r = { 0 };

	if (len < 2 || line[1] != ' ' || (line[0] != 'b' && line[0] != 'c' && line[0] != 'a'))
		return -1;
	r.type = line[0];
	if (parse_number(&at, ':', &r.major) < 0 || parse_number(&at, ' ', &r.minor) < 0 || at > end)
		return -1;
	r.perms = parse_perms(at, (size_t)(end - at));
	if (r.perms == 0 || (r.type == 'a' && (r.major != VM_ACL_ANY || r.minor != VM_ACL_ANY)))
		return -1;
	*ret = r;
	return 0;
}

int vm_acl_parse(const char *text, struct vm_acl *ret, struct vm_err *err)
{
	VM_AUTO(vm_acl_free) struct vm_acl acl = VM_ACL_INIT;
	unsigned number = 0;

	while (*text != 0) {
		size_t len = strcspn(text, "\n");
		struct vm_acl_rule r;

		number++;
		if (parse_rule(text, len, &r) < 0)
			return vm_err_set(err, VM_BAD_INPUT, "line %u is no device rule", number);
		if (r.type == 'a')
			acl.all = true;
		else
			vm_acl_add(&acl, r.type, r.major, r.minor, r.perms, NULL, NULL);
		if (acl.n > VM_ACL_RULES_MAX)
			return vm_err_set(err, VM_BAD_INPUT, "more than %u device rules",
					  VM_ACL_RULES_MAX);
		text += len;
		text += *text == '\n';
	}
	*ret = acl;
	acl = VM_ACL_INIT;
	return 0;
}

/* "c 10:196 rw BY PATH": names have no spaces, the path may. */
void vm_acl_to_record(const struct vm_acl *acl, const char *key, struct vm_record *r)
{
	vm_record_set(r, key, NULL);
	for (size_t i = 0; i < acl->n; i++) {
		const struct vm_acl_rule *rule = &acl->v[i];
		char text[VM_ACL_TEXT];
		VM_AUTO_FREE char *value =
			vm_xasprintf("%s %s %s", vm_acl_format(rule, text),
				     rule->by != NULL ? rule->by : "-",
				     rule->path != NULL ? rule->path : "-");

		vm_record_add(r, key, value);
	}
}

static int from_value(const char *value, struct vm_acl *acl, struct vm_err *err)
{
	const char *by = value;
	struct vm_acl_rule r;
	size_t len;

	for (int i = 0; i < 3 && by != NULL; i++) {
		by = strchr(by, ' ');
		if (by != NULL)
			by++;
	}
	if (by == NULL || parse_rule(value, (size_t)(by - 1 - value), &r) < 0 || r.type == 'a')
		return vm_err_set(err, VM_BAD_INPUT, "'%.100s' is no device rule", value);
	len = strcspn(by, " ");
	if (by[len] != ' ' || len == 0)
		return vm_err_set(err, VM_BAD_INPUT, "'%.100s' is no device rule", value);
	VM_AUTO_FREE char *names = vm_xstrndup(by, len);

	vm_acl_add(acl, r.type, r.major, r.minor, r.perms, strcmp(names, "-") == 0 ? NULL : names,
		   strcmp(by + len + 1, "-") == 0 ? NULL : by + len + 1);
	return 0;
}

int vm_acl_from_record(const struct vm_record *r, const char *key, struct vm_acl *ret,
		       struct vm_err *err)
{
	VM_AUTO(vm_acl_free) struct vm_acl acl = VM_ACL_INIT;
	const char *value;

	for (size_t i = 0; (value = vm_record_nth(r, key, i)) != NULL; i++)
		if (from_value(value, &acl, err) < 0)
			return -1;
	*ret = acl;
	acl = VM_ACL_INIT;
	return 0;
}
