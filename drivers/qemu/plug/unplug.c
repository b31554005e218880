/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is done when a guest does not have a host device any more.  Each step may be done twice. */
#include "plug.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/log.h>
#include <vm/model.h>
#include <vm/nodes.h>
#include <vm/state.h>
#include <vm/xml.h>

#include "confine/view.h"
#include "guest/attach.h"
#include "guest/group.h"
#include "guest/hostdev_foreign.h"
#include "guest/hostdev_bind.h"
#include "guest/hostdev_record.h"
#include "model/hostdev_node.h"
#include "model/memlock.h"
#include "qemu/qmp/monitor.h"
#include "qemu/qmp/qmp.h"
#include "qemu/run/reap.h"
#include "state/hostdev.h"

#define PCI_KEY "pci:"

/* The key of the claim of a device, by the record ("ALIAS KEY"); NULL = it has none. */
static const char *key_of(const struct vm_record *r, const char *alias)
{
	size_t len = strlen(alias);
	const char *one;

	for (size_t i = 0; (one = vm_record_nth(r, VM_KEY_HOSTDEV, i)) != NULL; i++)
		if (strncmp(one, alias, len) == 0 && one[len] == ' ')
			return strcmp(one + len + 1, "-") == 0 ||
					       strncmp(one + len + 1, VM_HOSTDEV_MISSING, strlen(VM_HOSTDEV_MISSING)) == 0
				       ? NULL
				       : one + len + 1;
	return NULL;
}

static void mark_device(const struct vm_guest *g, const char *key, bool on)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	struct vm_err ignored = VM_ERR_INIT;
	enum vm_hostdev_phase from = on ? VM_HOSTDEV_TAKEN : VM_HOSTDEV_UNPLUGGING;

	/* Only for those who look: what counts is the guest's record. */
	if (key == NULL || strncmp(key, PCI_KEY, strlen(PCI_KEY)) != 0 ||
	    vm_hostdev_load(g->state, key, &r, &ignored) != 0 || vm_hostdev_phase(&r) != from)
		return;
	if (vm_hostdev_store(g->state, key, &r, on ? VM_HOSTDEV_UNPLUGGING : VM_HOSTDEV_TAKEN, &ignored) < 0)
		vm_log_step("%s", ignored.msg);
}

int vm_unplug_mark(struct vm_guest *g, const char *const *aliases, size_t n, bool on, struct vm_err *err)
{
	for (size_t i = 0; i < n; i++) {
		vm_record_del(&g->record, VM_KEY_UNPLUG, aliases[i]);
		if (on)
			vm_record_add(&g->record, VM_KEY_UNPLUG, aliases[i]);
	}
	if (vm_guest_record_write(g, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		mark_device(g, key_of(&g->record, aliases[i]), on);
	return 0;
}

/* ---- the end of it ---- */

struct end {
	struct vm_guest *g;
	const char *const *aliases;
	size_t n;
	struct vm_deadline deadline;
	struct vm_xml *was, *doc;    /* doc: without them; NULL = they are gone from it */
	struct vm_domain *before, *d; /* d: what stays, of doc or was */
	struct vm_hostdev_list all;   /* of before */
	const struct vm_hostdev **v;  /* of before; array owned */
	const struct vm_hostdev_one **ones; /* likewise */
	size_t found;
	struct vm_foreign foreign; /* what QEMU has beside d, if something is to be closed that it has open */
	bool blind;	   /* that could not be asked: nothing is closed or given back */
	bool stays;	   /* in the document, as missing */
	bool dry;	   /* the steps are named, and none is taken */
	bool failed;	   /* something is to be done again */
	struct vm_err why; /* the first of it */
};

static void end_close(struct end *e)
{
	free(e->v);
	free(e->ones);
	vm_foreign_free(&e->foreign);
	vm_hostdev_list_free(&e->all);
	if (e->d != e->before)
		vm_domain_free(e->d);
	vm_domain_freep(&e->before);
	vm_xml_freep(&e->was);
	vm_xml_freep(&e->doc);
}

static int make_missing(struct end *e, struct vm_err *err)
{
	VM_AUTO(vm_domain_freep) struct vm_domain *d = NULL;
	VM_AUTO(vm_xml_edit_freep) struct vm_xml_edit *edit = vm_xml_edit_new(e->was);

	if (vm_domain_parse(e->was, true, &d, err) < 0)
		return -1;
	for (uint32_t i = 0; i < d->hostdevs.n; i++) {
		struct vm_hostdev *h = d->hostdevs.v[i];

		if (h->dev.alias == NULL || strcmp(h->dev.alias, e->aliases[0]) != 0)
			continue;
		h->missing = VM_SWITCH_ON;
		mt_assigned(&h->dev.obj, VM_HOSTDEV_BIT_MISSING);
	}
	mt_splice(&vm_domain_type, d, e->was, edit);
	return vm_xml_edit_apply(edit, &e->doc, err);
}

static int read_documents(struct end *e, struct vm_err *err)
{
	if (vm_xml_load_at(e->g->run, VM_RUN_LIVE_XML, &e->was, err) < 0 ||
	    vm_domain_parse(e->was, true, &e->before, err) < 0)
		return -1;
	e->v = vm_xcalloc(e->n + 1, sizeof(*e->v));
	e->ones = vm_xcalloc(e->n + 1, sizeof(*e->ones));
	vm_hostdev_list_read(e->before, &e->all);
	for (size_t i = 0; i < e->all.n; i++) {
		const struct vm_hostdev *h = e->all.v[i].h;

		for (size_t k = 0; k < e->n; k++)
			if (h->dev.alias != NULL && strcmp(h->dev.alias, e->aliases[k]) == 0) {
				e->ones[e->found] = &e->all.v[i];
				e->v[e->found++] = h;
			}
	}
	e->d = e->before;
	if (e->found == 0)
		return 0;
	e->d = NULL;
	if ((e->stays ? make_missing(e, err) : vm_hostdev_cut(e->was, e->v, e->found, &e->doc, err)) < 0)
		return -1;
	return vm_domain_parse(e->doc, true, &e->d, err);
}

/* The rest is done all the same; the mark stays in the record, and whoever comes next tries again. */
static void again(struct end *e, const char *what, const struct vm_err *why)
{
	if (e->failed) {
		vm_log_warning("%s: %s: %s", e->g->name, what, why->msg);
		return;
	}
	e->failed = true;
	e->why = *why;
	vm_err_wrap(&e->why, "%s", what);
}

/* What is open still, though its device is gone, may be so for one that the document does not have. */
static void look_foreign(struct end *e, const struct vm_sys *sys)
{
	struct vm_err why = VM_ERR_INIT;
	bool open = true;

	if (e->n == e->found && vm_plug_open_nodes(e->g, e->v, e->found, sys, &open, &why) < 0) {
		e->blind = true;
		again(e, "its nodes", &why);
		return;
	}
	if (!open || vm_plug_foreign(e->g, e->d, e->deadline, &e->foreign, &why) == 0 || vm_plug_ended(e->g, &why))
		return;
	e->blind = true;
	again(e, "which host devices it has", &why);
}

static void remove_node(struct end *e, const char *path)
{
	struct vm_err why = VM_ERR_INIT;

	vm_log_step("take %s from it", path);
	if (!e->dry && vm_qemu_node_remove(e->g, path + strlen("/dev/"), &why) < 0)
		again(e, "its /dev", &why);
}

static bool is_named(const struct vm_acl *rules, const char *path)
{
	for (size_t i = 0; i < rules->n; i++)
		if (rules->v[i].path != NULL && strcmp(rules->v[i].path, path) == 0)
			return true;
	return false;
}

static bool is_needed(const struct vm_nodes *rest, const char *path)
{
	for (size_t i = 0; i < rest->n; i++)
		if (rest->v[i].path != NULL && strcmp(rest->v[i].path, path) == 0)
			return true;
	return false;
}

/* Where two nodes have one number, their one rule names one of them. */
static void remove_own_nodes(struct end *e, const struct vm_acl *old, const struct vm_nodes *rest)
{
	VM_AUTO(vm_sys_close) struct vm_sys sys = VM_SYS_INIT;
	struct vm_err why = VM_ERR_INIT;

	if (e->found == 0)
		return;
	if (vm_sys_open(NULL, &sys, &why) < 0) {
		again(e, "its node", &why);
		return;
	}
	for (size_t i = 0; i < e->found; i++) {
		VM_AUTO_FREE char *path = NULL;

		if (vm_hostdev_node(e->v[i], vm_hostdev_iommufd(e->d, e->v[i]), &sys, &path, &why) < 0)
			again(e, "its node", &why);
		if (path != NULL && strncmp(path, "/dev/", 5) == 0 && !is_named(old, path) && !is_needed(rest, path))
			remove_node(e, path);
	}
}

static void name_rules(const struct vm_acl *old, const struct vm_acl *now)
{
	char text[VM_ACL_TEXT];

	for (size_t i = 0; i < old->n; i++)
		if (vm_acl_perms_of(now, &old->v[i]) == 0)
			vm_log_step("deny %s (%s)", vm_acl_format(&old->v[i], text),
				    old->v[i].path != NULL ? old->v[i].path : "-");
}

static int keep_foreign(struct end *e, const struct vm_sys *sys, struct vm_nodes *rest, struct vm_acl *rules,
			struct vm_err *err)
{
	for (size_t i = 0; i < e->foreign.n; i++) {
		const struct vm_foreign one = { .v = &e->foreign.v[i], .n = 1 };
		VM_AUTO(vm_nodes_free) struct vm_nodes nodes = VM_NODES_INIT;
		VM_AUTO(vm_acl_free) struct vm_acl theirs = VM_ACL_INIT;

		if (vm_plug_foreign_nodes(&one, sys, &nodes, err) < 0 || vm_acl_from_nodes(&nodes, -1, &theirs, err) < 0 ||
		    vm_plug_foreign_nodes(&one, sys, rest, err) < 0)
			return -1;
		vm_log_step("%s (%s) is not in the document: what it needs stays", one.v->alias, one.v->name);
		vm_plug_foreign_rules(&theirs, rules);
	}
	return 0;
}

/* Rules that only these had asked for, and the nodes behind them. */
static int close_nodes(struct end *e, const struct vm_sys *sys, struct vm_acl *ret, struct vm_err *err)
{
	VM_AUTO(vm_acl_free) struct vm_acl old = VM_ACL_INIT;
	VM_AUTO(vm_acl_free) struct vm_acl rest = VM_ACL_INIT;
	VM_AUTO(vm_nodes_free) struct vm_nodes nodes = VM_NODES_INIT;
	struct vm_err why = VM_ERR_INIT;

	if (vm_acl_from_record(&e->g->record, VM_KEY_ACL_RULE, &old, err) < 0 ||
	    vm_acl_from_record(&e->g->record, VM_KEY_ACL_RULE, ret, err) < 0)
		return -1;
	if (e->blind)
		return 0;
	/* what the others need cannot be told: all of it stays until somebody can */
	if (vm_domain_nodes(e->d, &e->g->state->conf, &nodes, &why) < 0 || keep_foreign(e, sys, &nodes, ret, &why) < 0) {
		again(e, "device rules", &why);
		return 0;
	}
	if (vm_acl_from_nodes(&nodes, -1, &rest, &why) < 0)
		vm_log_step("%s", why.msg);
	for (size_t i = 0; i < e->n; i++)
		vm_acl_forget(ret, e->aliases[i], &rest);
	name_rules(&old, ret);
	if (!e->dry && vm_guest_acl_apply(e->g, ret, NULL, &why) < 0) {
		/* A group that somebody removed has no rules to be closed. */
		if (why.kind == VM_IN_USE)
			vm_log_warning("%s: device rules: %s", e->g->name, why.msg);
		else
			again(e, "device rules", &why);
	}
	for (size_t i = 0; i < old.n; i++) {
		const struct vm_acl_rule *r = &old.v[i];

		if (vm_acl_perms_of(ret, r) != 0 || r->path == NULL || strncmp(r->path, "/dev/", 5) != 0)
			continue;
		remove_node(e, r->path);
	}
	remove_own_nodes(e, &old, &nodes);
	return 0;
}

static void close_roms(struct end *e)
{
	struct vm_err why = VM_ERR_INIT;
	struct vm_procid qemu;

	if (!vm_record_get_procid(&e->g->record, VM_KEY_PID, &qemu) ||
	    vm_record_get(&e->g->record, VM_KEY_UID) == NULL)
		return;
	for (size_t i = 0; i < e->found; i++) {
		const char *file = e->v[i]->dev.rom != NULL ? e->v[i]->dev.rom->file : NULL;

		if (file == NULL)
			continue;
		vm_log_step("take %s from it", file);
		if (!e->dry && vm_view_leave(qemu.pid, file, &why) < 0)
			again(e, "its view", &why);
	}
}

/* Never lowered as long as one of them is there. */
static void lower_memlock(struct end *e)
{
	struct vm_err why = VM_ERR_INIT;
	const char *was = vm_record_get(&e->g->record, VM_KEY_MEMLOCK);

	if (was == NULL || vm_domain_memlock(e->d) != 0 || e->blind)
		return;
	for (size_t i = 0; i < e->foreign.n; i++)
		if (e->foreign.v[i].h.type == VM_HOSTDEV_TYPE_PCI || e->foreign.v[i].h.type == VM_HOSTDEV_TYPE_MDEV)
			return;
	vm_log_step("lower the limit of locked memory to %.*s bytes", (int)strcspn(was, " "), was);
	if (e->dry)
		return;
	if (vm_qemu_memlock_restore(e->g, was, &why) < 0)
		again(e, "limit of locked memory", &why);
	else
		vm_record_set(&e->g->record, VM_KEY_MEMLOCK, NULL);
}

#define GROUP_UNREAD (-2)

/* What is gone has none; GROUP_UNREAD: it cannot be told, so that all of it is to be done again. */
static int group_of(struct end *e, const struct vm_sys *sys, const char *key)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	struct vm_err why = VM_ERR_INIT;
	struct vm_pci p;
	int none = vm_hostdev_load(e->g->state, key, &r, &why);

	if (none == 0)
		return (int)vm_record_i64(&r, VM_HOSTDEV_GROUP, VM_NO_GROUP);
	if (none > 0 && vm_pci_read(sys, key + strlen(PCI_KEY), &p, &why) == 0)
		return p.group;
	if (why.kind == VM_NOT_FOUND || why.kind == VM_BAD_INPUT)
		return VM_NO_GROUP;
	again(e, key, &why);
	return GROUP_UNREAD;
}

static bool is_of_group(struct end *e, const struct vm_sys *sys, const struct vm_hostdev *h, int group)
{
	VM_AUTO_FREE char *name = NULL;
	VM_AUTO_FREE char *key = NULL;
	int other;

	if (h->type != VM_HOSTDEV_TYPE_PCI)
		return false;
	name = vm_hostdev_source_text(h);
	key = vm_xasprintf(PCI_KEY "%s", name);
	other = group_of(e, sys, key);
	return other == group || other == GROUP_UNREAD;
}

static bool group_stays(struct end *e, const struct vm_sys *sys, int group)
{
	struct vm_hostdev_iter i = { 0 };
	const struct vm_hostdev *h;

	while ((h = vm_hostdev_next(e->d, &i)) != NULL)
		if (is_of_group(e, sys, h, group))
			return true;
	for (size_t k = 0; k < e->foreign.n; k++)
		if (is_of_group(e, sys, &e->foreign.v[k].h, group))
			return true;
	return e->blind;
}

static void drop_claim(struct end *e, const char *key)
{
	struct vm_err why = VM_ERR_INIT;

	vm_log_step("drop the claim on %s", key);
	if (!e->dry && vm_claim_drop(e->g, key, &why) < 0)
		again(e, key, &why);
}

/* What the host's driver does not take, or does not let go of, is left to the admin: the guest has let go. */
static void give_back_pci(struct end *e, const struct vm_sys *sys, const char *key)
{
	VM_AUTO_FREE char *user = vm_xasprintf("%s/%s", e->g->state->driver, e->g->name);
	VM_AUTO_FREE char *held = vm_xasprintf(VM_HOSTDEV_VERB " %s", key + strlen(PCI_KEY));
	struct vm_err why = VM_ERR_INIT;

	vm_record_del(&e->g->record, VM_KEY_HELD, held);
	if (e->dry) {
		vm_hostdev_name_give_back(e->g->state, sys, key + strlen(PCI_KEY), user);
		return;
	}
	vm_log_step("give %s back", key + strlen(PCI_KEY));
	if (vm_hostdev_give_back(e->g->state, sys, key + strlen(PCI_KEY), user,
				 vm_deadline_in(VM_HOSTDEV_UNBIND_MS), &why) < 0)
		again(e, key, &why);
}

/* The group with all of it that the guest had: members that it released before were kept, since no driver of the host may have
 * them as long as VFIO has another one. */
static void give_back_group(struct end *e, const struct vm_sys *sys, int group)
{
	static const char verb[] = VM_HOSTDEV_VERB " ";
	VM_AUTO_FREE char *claim = vm_xasprintf(VM_HOSTDEV_GROUP_KEY "%d", group);
	bool unread = false, any = false;
	const char *held;

	for (size_t i = 0; (held = vm_record_nth(&e->g->record, VM_KEY_HELD, i)) != NULL;) {
		VM_AUTO_FREE char *key = NULL;
		int other;

		i++;
		if (strncmp(held, verb, sizeof(verb) - 1) != 0)
			continue;
		key = vm_xasprintf(PCI_KEY "%s", held + sizeof(verb) - 1);
		other = group_of(e, sys, key);
		unread |= other == GROUP_UNREAD;
		if (other != group)
			continue;
		any = true;
		give_back_pci(e, sys, key);
		drop_claim(e, key);
		i--; /* it is not in the list any more */
	}
	/* another one of it came before */
	if (!unread && (any || !e->dry))
		drop_claim(e, claim);
}

/* One that stayed with its driver: its hooks hear of it before somebody else may have it. */
static void give_back_other(struct end *e, const struct vm_sys *sys, const char *key)
{
	VM_AUTO_FREE char *user = vm_xasprintf("%s/%s", e->g->state->driver, e->g->name);
	VM_AUTO_FREE char *held = vm_xasprintf(VM_HOSTDEV_VERB " %s", key);
	const struct vm_hostdev_take take = { .state = e->g->state, .sys = sys, .name = key, .user = user,
					      .deadline = vm_deadline_in(VM_HOSTDEV_UNBIND_MS) };
	struct vm_err why = VM_ERR_INIT;

	if (vm_record_has(&e->g->record, VM_KEY_HELD, held) && vm_hostdev_hook_give(&take, &why) < 0) {
		again(e, key, &why);
		return;
	}
	vm_record_del(&e->g->record, VM_KEY_HELD, held);
	drop_claim(e, key);
}

static void give_back_one(struct end *e, const struct vm_sys *sys, const char *key)
{
	int group;

	if (strncmp(key, PCI_KEY, strlen(PCI_KEY)) != 0) {
		give_back_other(e, sys, key);
		return;
	}
	group = group_of(e, sys, key);
	if (group == GROUP_UNREAD)
		return;
	if (group == VM_NO_GROUP) {
		give_back_pci(e, sys, key);
		drop_claim(e, key);
	} else if (group_stays(e, sys, group)) {
		vm_log_step("%s stays on VFIO until the guest has released all of IOMMU group %d",
			    key + strlen(PCI_KEY), group);
		if (!e->dry)
			mark_device(e->g, key, false);
	} else {
		give_back_group(e, sys, group);
	}
}

void vm_unplug_forget(struct vm_record *r, const char *alias)
{
	size_t len = strlen(alias);
	const char *one;

	for (size_t i = 0; (one = vm_record_nth(r, VM_KEY_HOSTDEV, i)) != NULL; i++) {
		VM_AUTO_FREE char *text = vm_xstrdup(one);

		if (strncmp(text, alias, len) != 0 || text[len] != ' ')
			continue;
		vm_record_del(r, VM_KEY_HOSTDEV, text);
		return;
	}
}

static bool has_key(const struct vm_record *r, const char *key)
{
	const char *one;

	for (size_t i = 0; (one = vm_record_nth(r, VM_KEY_HOSTDEV, i)) != NULL; i++) {
		one = strchr(one, ' ');
		if (one != NULL && strcmp(one + 1, key) == 0)
			return true;
	}
	return false;
}

/* What stayed on VFIO for the sake of one that was foreign, and is gone. */
static void give_back_kept(struct end *e, const struct vm_sys *sys)
{
	static const char verb[] = VM_HOSTDEV_VERB " ";
	const char *held;

	for (size_t i = 0; (held = vm_record_nth(&e->g->record, VM_KEY_HELD, i)) != NULL; i++) {
		VM_AUTO_FREE char *key = NULL;
		int group;

		if (strncmp(held, verb, sizeof(verb) - 1) != 0)
			continue;
		key = vm_xasprintf(PCI_KEY "%s", held + sizeof(verb) - 1);
		if (has_key(&e->g->record, key))
			continue;
		group = group_of(e, sys, key);
		if (group < 0 || group_stays(e, sys, group))
			continue;
		give_back_group(e, sys, group);
		i = (size_t)-1; /* the list is another one now */
	}
}

static void give_back(struct end *e, const struct vm_sys *sys)
{
	struct vm_record *r = &e->g->record;

	for (size_t i = 0; i < e->n; i++) {
		VM_AUTO_FREE char *alias = vm_xstrdup(e->aliases[i]); /* that one may be the record's */
		VM_AUTO_FREE char *key = vm_xstrdup(key_of(r, alias));

		if (key != NULL)
			give_back_one(e, sys, key);
		vm_unplug_forget(r, alias);
		vm_record_del(r, VM_KEY_UNPLUG, alias);
		vm_record_del(r, VM_KEY_FOREIGN, alias);
	}
	if (e->n != e->found && !e->blind && !e->dry)
		give_back_kept(e, sys);
	for (size_t i = 0; i < e->foreign.n; i++)
		if (!vm_record_has(r, VM_KEY_FOREIGN, e->foreign.v[i].alias))
			vm_record_add(r, VM_KEY_FOREIGN, e->foreign.v[i].alias);
}

static int drop_nodes(struct end *e, const struct vm_argv *nodes, struct vm_qmp **q, struct vm_err *err)
{
	if (nodes->n == 0)
		return 0;
	if (*q == NULL && vm_qemu_monitor_open(e->g, e->deadline, q, err) < 0)
		return -1;
	return vm_plug_drop_nodes(*q, nodes, e->deadline, err);
}

/* Block nodes stay when the device goes, and hold what they are of: as long as one does, nothing is given back. */
static int drop_blocks(struct end *e, struct vm_err *err)
{
	VM_AUTO(vm_qmp_close) struct vm_qmp *q = NULL;

	for (size_t i = 0; i < e->found; i++) {
		VM_AUTO(vm_argv_free) struct vm_argv nodes = VM_ARGV_INIT;
		struct vm_err why = VM_ERR_INIT;

		vm_plug_nodes_of(e->before, e->ones[i], &nodes);
		if (drop_nodes(e, &nodes, &q, &why) == 0)
			continue;
		if ((q == NULL || vm_qmp_refused(q) == NULL) && vm_plug_ended(e->g, &why))
			return 0;
		*err = why;
		return -1;
	}
	return 0;
}

static int write_down(struct end *e, const struct vm_acl *acl, struct vm_err *err)
{
	VM_AUTO(vm_record_free) struct vm_record facts = VM_RECORD_INIT;
	const char *text;
	size_t len;

	if (e->doc != NULL) {
		text = vm_xml_text(e->doc, &len);
		if (vm_file_write_volatile(e->g->run, VM_RUN_LIVE_XML, text, len, 0640, err) < 0)
			return -1;
	}
	vm_domain_facts(e->d, &facts);
	vm_record_set(&e->g->record, VM_FACT_PORTS_FREE, vm_record_get(&facts, VM_FACT_PORTS_FREE));
	vm_record_set(&e->g->record, VM_KEY_ACL_RULE, NULL);
	vm_acl_to_record(acl, VM_KEY_ACL_RULE, &e->g->record);
	return vm_guest_record_write(e->g, err);
}

static int finish(struct end *e, struct vm_acl *ret_acl, struct vm_err *err)
{
	VM_AUTO(vm_sys_close) struct vm_sys sys = VM_SYS_INIT;

	if (read_documents(e, err) < 0 || vm_sys_open(NULL, &sys, err) < 0)
		return -1;
	if (!e->dry && drop_blocks(e, err) < 0)
		return -1;
	if (!e->dry)
		look_foreign(e, &sys);
	if (close_nodes(e, &sys, ret_acl, err) < 0)
		return -1;
	close_roms(e);
	lower_memlock(e);
	/* The record is written after all of it: until then whoever comes next does it again. */
	give_back(e, &sys);
	if (!e->failed)
		return 0;
	*err = e->why;
	if (!e->dry)
		(void)vm_guest_refresh(e->g, &e->why);
	return -1;
}

int vm_unplug_name(struct vm_guest *g, const char *const *aliases, size_t n, struct vm_err *err)
{
	VM_AUTO(end_close) struct end e = { .g = g, .aliases = aliases, .n = n, .dry = true };
	VM_AUTO(vm_acl_free) struct vm_acl acl = VM_ACL_INIT;

	return finish(&e, &acl, err);
}

int vm_unplug_finish(struct vm_guest *g, const char *const *aliases, size_t n, struct vm_deadline deadline,
		     struct vm_err *err)
{
	VM_AUTO(end_close) struct end e = { .g = g, .aliases = aliases, .n = n, .deadline = deadline };
	VM_AUTO(vm_acl_free) struct vm_acl acl = VM_ACL_INIT;

	return finish(&e, &acl, err) < 0 ? -1 : write_down(&e, &acl, err);
}

/* Its port stays in the record: there it is looked for first. */
int vm_unplug_missing(struct vm_guest *g, const char *alias, bool looked_for, struct vm_deadline deadline,
		      struct vm_err *err)
{
	VM_AUTO(end_close)
	struct end e = { .g = g, .aliases = &alias, .n = 1, .deadline = deadline, .stays = true };
	VM_AUTO(vm_acl_free) struct vm_acl acl = VM_ACL_INIT;
	VM_AUTO_FREE char *key = vm_xstrdup(key_of(&g->record, alias));
	VM_AUTO_FREE char *was = vm_xasprintf("%s %s%s", alias, looked_for ? VM_HOSTDEV_MISSING : "-",
					      looked_for && key != NULL ? key + strcspn(key, ":") + 1 : "");

	if (finish(&e, &acl, err) < 0)
		return -1;
	vm_record_add(&g->record, VM_KEY_HOSTDEV, was);
	return write_down(&e, &acl, err);
}
