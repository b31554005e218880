/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Settings and pins, as typed and as a document has them. */
#include "tune.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/cli.h>

#include "model/domain.h"

void vm_tune_list_free(struct vm_tune_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->v[i].device);
		vm_tune_value_free(&l->v[i].v);
	}
	free(l->v);
	*l = VM_TUNE_LIST_INIT;
}

void vm_tune_list_add(struct vm_tune_list *l, const struct vm_tunable *t, const char *device,
		      struct vm_tune_value v, bool given)
{
	l->v = vm_xreallocarray(l->v, l->n + 1, sizeof(*l->v));
	l->v[l->n++] = (struct vm_tune_setting){
		.t = t, .device = device ? vm_xstrdup(device) : NULL, .v = v, .given = given
	};
}

const struct vm_tune_setting *vm_tune_list_find(const struct vm_tune_list *l,
						const struct vm_tunable *t, const char *device)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].t == t &&
		    (device == NULL || (l->v[i].device && strcmp(l->v[i].device, device) == 0)))
			return &l->v[i];
	return NULL;
}

/* ---- as typed ---- */

static int add_typed(struct vm_tune_list *l, const struct vm_tunable *t, const char *device,
		     const char *value, struct vm_err *err)
{
	struct vm_tune_value v = VM_TUNE_VALUE_INIT;

	if (device && device[0] != '/')
		return vm_err_set(err, VM_USAGE, "%s: '%.200s' is no path of a device", t->key, device);
	if (value && vm_tune_list_find(l, t, device))
		return vm_err_set(err, VM_USAGE, "%s%s%.200s is given twice", t->key,
				  device ? ":" : "", device ? device : "");
	if (value && vm_tune_value_parse(t, value, &v, err) < 0)
		return -1;
	vm_tune_list_add(l, t, device, v, value != NULL);
	return 0;
}

/* PATH,N,PATH,N,...: virsh's way to say it for several devices at once. */
static int add_devices(struct vm_tune_list *l, const struct vm_tunable *t, const char *text,
		       struct vm_err *err)
{
	VM_AUTO_FREE char *copy = vm_xstrdup(text);
	char *rest = copy;

	while (rest) {
		const char *path = strsep(&rest, ","), *value = rest ? strsep(&rest, ",") : NULL;

		if (!value)
			return vm_err_set(err, VM_USAGE, "%s: '%.200s' is not PATH,VALUE,...", t->key,
					  text);
		if (add_typed(l, t, path, value, err) < 0)
			return -1;
	}
	return 0;
}

static int parse_word(const char *word, struct vm_tune_list *l, struct vm_err *err)
{
	size_t len = strcspn(word, ":=");
	const struct vm_tunable *t = vm_tunable_find(word, len);
	const char *value = strrchr(word + len, '=');
	VM_AUTO_FREE char *device = NULL;

	if (!t) {
		vm_err_set(err, VM_USAGE, "no key is called '%.*s'", (int)(len > 60 ? 60 : len), word);
		return vm_err_hint(err, "vm-cgroup GUEST lists the keys");
	}
	if (word[len] != ':') {
		if (!t->per_device)
			return add_typed(l, t, NULL, value ? value + 1 : NULL, err);
		if (value)
			return add_devices(l, t, word + len + 1, err);
		return vm_err_set(err, VM_USAGE, "%s is of a device: %s:PATH", t->key, t->key);
	}
	if (!t->per_device)
		return vm_err_set(err, VM_USAGE, "%s is not of a device", t->key);
	device = value ? vm_xstrndup(word + len + 1, (size_t)(value - word) - len - 1)
		       : vm_xstrdup(word + len + 1);
	return add_typed(l, t, device, value ? value + 1 : NULL, err);
}

int vm_tune_list_parse(const char *const *words, size_t n, struct vm_tune_list *ret,
		       struct vm_err *err)
{
	VM_AUTO(vm_tune_list_free) struct vm_tune_list l = VM_TUNE_LIST_INIT;

	for (size_t i = 0; i < n; i++)
		if (parse_word(words[i], &l, err) < 0)
			return -1;
	*ret = l;
	l = VM_TUNE_LIST_INIT;
	return 0;
}

/* ---- as a document has them ---- */

enum datum { U64, I64, BYTES };
#define AT(key, holder, type, member, datum)                                                       \
	{                                                                                          \
		key, offsetof(struct vm_domain, holder), offsetof(struct type, member), datum      \
	}
static const struct place {
	const char *key;
	size_t holder, member;
	int datum;
} places[] = {
	AT("cpu_shares", cputune, vm_cputune, shares, U64),
	AT("vcpu_period", cputune, vm_cputune, period, U64),
	AT("vcpu_quota", cputune, vm_cputune, quota, I64),
	AT("emulator_period", cputune, vm_cputune, emulator_period, U64),
	AT("emulator_quota", cputune, vm_cputune, emulator_quota, I64),
	AT("iothread_period", cputune, vm_cputune, iothread_period, U64),
	AT("iothread_quota", cputune, vm_cputune, iothread_quota, I64),
	AT("global_period", cputune, vm_cputune, global_period, U64),
	AT("global_quota", cputune, vm_cputune, global_quota, I64),
	AT("hard_limit", memtune, vm_memtune, hard, BYTES),
	AT("soft_limit", memtune, vm_memtune, soft, BYTES),
	AT("swap_hard_limit", memtune, vm_memtune, swap, BYTES),
	AT("weight", blkiotune, vm_blkiotune, weight, U64),
};
static const struct {
	const char *key;
	size_t member;
} device_places[] = {
	{ "device_weight", offsetof(struct vm_blkio_device, weight) },
	{ "device_read_iops_sec", offsetof(struct vm_blkio_device, read_iops) },
	{ "device_write_iops_sec", offsetof(struct vm_blkio_device, write_iops) },
	{ "device_read_bytes_sec", offsetof(struct vm_blkio_device, read_bytes) },
	{ "device_write_bytes_sec", offsetof(struct vm_blkio_device, write_bytes) },
};

static const struct vm_tunable *row(const char *key)
{
	return vm_tunable_find(key, strlen(key));
}

/* 0 is "not said" everywhere; a document of limits says it by large numbers or negative ones. */
static void add_datum(struct vm_tune_list *l, const struct vm_tunable *t, const char *device,
		      const void *at, int datum)
{
	struct vm_tune_value v = VM_TUNE_VALUE_INIT;

	if (datum == I64) {
		int64_t n = *(const int64_t *)at;

		v.unlimited = n < 0;
		v.n = n < 0 ? 0 : (uint64_t)n;
	} else {
		v.n = *(const uint64_t *)at;
		v.unlimited = datum == BYTES && v.n >= VM_MEMTUNE_UNLIMITED;
		if (v.unlimited)
			v.n = 0;
	}
	if (v.n != 0 || v.unlimited)
		vm_tune_list_add(l, t, device, v, true);
}

static void add_numa(struct vm_tune_list *l, const struct vm_numatune *n)
{
	struct vm_tune_value v = VM_TUNE_VALUE_INIT;

	if (n->nodes.nbits == 0)
		return;
	v.text = vm_xstrdup(vm_numa_mode_words[n->mode ? n->mode : VM_NUMA_STRICT]);
	vm_tune_list_add(l, row("numa_mode"), NULL, v, true);
	v.text = mt_cpuset_text(&n->nodes);
	vm_tune_list_add(l, row("numa_nodeset"), NULL, v, true);
}

void vm_tune_list_of(const struct vm_domain *d, struct vm_tune_list *ret)
{
	*ret = VM_TUNE_LIST_INIT;
	for (size_t i = 0; i < VM_COUNT(places); i++) {
		const char *holder = *(char *const *)((const char *)d + places[i].holder);

		if (holder)
			add_datum(ret, row(places[i].key), NULL, holder + places[i].member,
				  places[i].datum);
	}
	for (uint32_t k = 0; d->blkiotune && k < d->blkiotune->devices.n; k++) {
		const struct vm_blkio_device *dev = d->blkiotune->devices.v[k];

		for (size_t i = 0; i < VM_COUNT(device_places); i++)
			add_datum(ret, row(device_places[i].key), dev->path,
				  (const char *)dev + device_places[i].member, U64);
	}
	if (d->numatune)
		add_numa(ret, d->numatune);
}

/* ---- pins ---- */

void vm_tune_pins_free(struct vm_tune_pins *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->v[i].cpus.bits);
	free(p->v);
	*p = (struct vm_tune_pins){ 0 };
}

static int parse_thread(const char *name, size_t len, struct vm_tune_pin *p, struct vm_err *err)
{
	static const struct {
		const char *word;
		int class;
		bool all;
	} words[] = {
		{ "vcpus", VM_TUNE_VCPU, true },
		{ "iothreads", VM_TUNE_IOTHREAD, true },
		{ "emulator", VM_TUNE_EMULATOR, false },
		{ "vcpu", VM_TUNE_VCPU, false },
		{ "iothread", VM_TUNE_IOTHREAD, false },
	};

	for (size_t i = 0; i < VM_COUNT(words); i++) {
		size_t word = strlen(words[i].word);
		VM_AUTO_FREE char *number = NULL;
		struct vm_err why = VM_ERR_INIT;

		if (len < word || memcmp(name, words[i].word, word) != 0)
			continue;
		p->class = words[i].class;
		p->all = words[i].all;
		if (len == word && (p->all || p->class == VM_TUNE_EMULATOR))
			return 0;
		number = vm_xstrndup(name + word, len - word);
		if (p->class != VM_TUNE_EMULATOR && !p->all &&
		    vm_parse_u64(number, 0, UINT32_MAX, &p->id, &why) == 0 &&
		    number[0] >= '0' && number[0] <= '9')
			return 0;
	}
	vm_err_set(err, VM_USAGE, "no thread is called '%.*s'", (int)(len > 60 ? 60 : len), name);
	return vm_err_hint(err, "there are vcpu0, emulator, iothread1 and so on, vcpus and iothreads");
}

static int parse_pin(const char *word, struct vm_tune_pin *p, struct vm_err *err)
{
	size_t len = strcspn(word, "=");

	if (parse_thread(word, len, p, err) < 0)
		return -1;
	p->given = word[len] == '=';
	p->anywhere = p->given && strcmp(word + len + 1, "all") == 0;
	if (p->given && !p->anywhere && !mt_cpuset_parse(word + len + 1, &p->cpus))
		return vm_err_set(err, VM_USAGE, "'%.100s' is no set of CPUs such as 0-3,^2",
				  word + len + 1);
	return 0;
}

int vm_tune_pins_parse(const char *const *words, size_t n, struct vm_tune_pins *ret,
		       struct vm_err *err)
{
	VM_AUTO(vm_tune_pins_free) struct vm_tune_pins p = { 0 };

	p.v = vm_xcalloc(n + 1, sizeof(*p.v));
	for (size_t i = 0; i < n; i++) {
		p.n = i + 1;
		if (parse_pin(words[i], &p.v[i], err) < 0)
			return -1;
	}
	*ret = p;
	p = (struct vm_tune_pins){ 0 };
	return 0;
}

static const struct mt_cpuset *pin_in(const struct mt_list *l, uint64_t id)
{
	for (uint32_t i = 0; i < l->n; i++) {
		const struct vm_vcpu_pin *p = l->v[i];

		if (p->id == id)
			return &p->cpus;
	}
	return NULL;
}

const struct mt_cpuset *vm_tune_pin_of(const struct vm_domain *d, int class, uint64_t id)
{
	const struct vm_cputune *c = d->cputune;
	const struct mt_cpuset *found = NULL;

	if (c && class == VM_TUNE_VCPU)
		found = pin_in(&c->vcpupins, id);
	else if (c && class == VM_TUNE_IOTHREAD)
		found = pin_in(&c->iothreadpins, id);
	else if (c && c->emulatorpin.nbits)
		found = &c->emulatorpin;
	if (!found && d->cpuset.nbits)
		found = &d->cpuset;
	return found;
}
