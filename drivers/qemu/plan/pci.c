/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "pci.h"

#define ENDPOINTS (VM_SLOT_PCI | VM_SLOT_PCIE)

static const struct {
	int name;	 /* enum vm_pci_model_name */
	unsigned needs;	 /* of the bus above */
	unsigned offers; /* to devices behind it */
	uint8_t min_slot, max_slot;
} models[VM_CONTROLLER_MODELS] = {
    [VM_PCI_ROOT] = {.offers = VM_SLOT_AUTO | VM_SLOT_PCI | VM_SLOT_BRIDGE | VM_SLOT_EXPANDER |
			       VM_SLOT_INTEGRATED,
		     .min_slot = 1,
		     .max_slot = 31},
    /* Nothing goes to the root complex by itself except ports: what sits there cannot be unplugged.
     */
    [VM_PCIE_ROOT] = {.offers = VM_SLOT_PCIE | VM_SLOT_ROOT_PORT | VM_SLOT_DMI_BRIDGE |
				VM_SLOT_PCIE_EXPANDER | VM_SLOT_INTEGRATED,
		      .min_slot = 1,
		      .max_slot = 31},
    [VM_PCI_BRIDGE] = {.name = VM_PCI_NAME_PCI_BRIDGE,
		       .needs = VM_SLOT_BRIDGE,
		       .offers = VM_SLOT_AUTO | VM_SLOT_PCI | VM_SLOT_BRIDGE,
		       .min_slot = 1,
		       .max_slot = 31},
    [VM_PCI_DMI_BRIDGE] = {.name = VM_PCI_NAME_I82801B11,
			   .needs = VM_SLOT_DMI_BRIDGE,
			   .offers = VM_SLOT_PCI | VM_SLOT_BRIDGE,
			   .max_slot = 31},
    [VM_PCIE_PCI_BRIDGE] = {.name = VM_PCI_NAME_PCIE_PCI_BRIDGE,
			    .needs = VM_SLOT_PCIE_TO_PCI,
			    .offers = VM_SLOT_AUTO | VM_SLOT_PCI | VM_SLOT_BRIDGE,
			    .min_slot = 1,
			    .max_slot = 31},
    [VM_PCIE_ROOT_PORT] = {.name = VM_PCI_NAME_PCIE_ROOT_PORT,
			   .needs = VM_SLOT_ROOT_PORT | VM_SLOT_AGGREGATE,
			   .offers = VM_SLOT_AUTO | VM_SLOT_PCIE | VM_SLOT_UPSTREAM |
				     VM_SLOT_PCIE_TO_PCI},
    [VM_PCIE_UPSTREAM_PORT] = {.name = VM_PCI_NAME_X3130_UPSTREAM,
			       .needs = VM_SLOT_UPSTREAM,
			       .offers = VM_SLOT_DOWNSTREAM,
			       .max_slot = 31},
    [VM_PCIE_DOWNSTREAM_PORT] = {.name = VM_PCI_NAME_XIO3130_DOWNSTREAM,
				 .needs = VM_SLOT_DOWNSTREAM,
				 .offers = VM_SLOT_AUTO | VM_SLOT_PCIE | VM_SLOT_UPSTREAM |
					   VM_SLOT_PCIE_TO_PCI},
    [VM_PCI_EXPANDER] = {.name = VM_PCI_NAME_PXB,
			 .needs = VM_SLOT_EXPANDER,
			 .offers = VM_SLOT_AUTO | VM_SLOT_PCI | VM_SLOT_BRIDGE,
			 .max_slot = 31},
    [VM_PCIE_EXPANDER] = {.name = VM_PCI_NAME_PXB_PCIE,
			  .needs = VM_SLOT_PCIE_EXPANDER,
			  .offers = VM_SLOT_ROOT_PORT | VM_SLOT_DMI_BRIDGE,
			  .max_slot = 31},
};

static bool is_model(int model)
{
	return model >= VM_PCI_ROOT && model <= VM_PCIE_EXPANDER;
}

unsigned vm_pci_model_flags(int model)
{
	assert(is_model(model));
	return models[model].needs;
}

int vm_pci_model_name(int model)
{
	assert(is_model(model));
	return models[model].name;
}

const char *vm_pci_text(struct vm_pci_addr a, char buf[VM_PCI_TEXT])
{
	snprintf(buf, VM_PCI_TEXT, "%04x:%02x:%02x.%u", a.domain & 0xffff, a.bus & 0xff,
		 a.slot & 0xff, a.function & 0xff);
	return buf;
}

void vm_pci_set_open(struct vm_pci_set *set, size_t n, bool dry)
{
	assert(n <= VM_PCI_BUSES_MAX);
	*set = (struct vm_pci_set){.n = n, .dry = dry};
	if (n > 0)
		set->buses = vm_xcalloc(n, sizeof(*set->buses));
}

void vm_pci_set_close(struct vm_pci_set *set)
{
	free(set->buses);
	*set = VM_PCI_SET_INIT;
}

void vm_pci_bus_model(struct vm_pci_bus *bus, int model)
{
	assert(is_model(model));
	bus->model = model;
	bus->flags = models[model].offers;
	bus->min_slot = models[model].min_slot;
	bus->max_slot = models[model].max_slot;
}

bool vm_pci_slot_used(const struct vm_pci_set *set, struct vm_pci_addr a)
{
	return a.bus < set->n && a.slot < 32 && set->buses[a.bus].functions[a.slot] != 0;
}

bool vm_pci_set_full(const struct vm_pci_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		for (unsigned slot = set->buses[i].min_slot; slot <= set->buses[i].max_slot; slot++)
			if (set->buses[i].functions[slot] == 0)
				return false;
	return true;
}

/* Names what the device wants of a bus, for messages. */
static const char *wanted(unsigned flags)
{
	if (flags & VM_SLOT_PCI)
		return "a conventional PCI device";
	if (flags & VM_SLOT_PCIE)
		return "a PCI Express device";
	if (flags & VM_SLOT_INTEGRATED)
		return "a part of the root complex";
	for (int i = VM_PCI_ROOT; i <= VM_PCIE_EXPANDER; i++)
		if (models[i].needs & flags & VM_SLOT_TYPES)
			return vm_controller_model_words[i];
	return "this device";
}

/* An address the admin chose may mix conventional and Express endpoints; one we choose may not. */
static bool fits(unsigned offers, unsigned needs, bool chosen)
{
	if (chosen) {
		if (offers & ENDPOINTS)
			offers |= ENDPOINTS;
		if (needs & VM_SLOT_BRIDGE)
			needs |= VM_SLOT_PCI;
	} else if ((needs & VM_SLOT_AUTO) && !(offers & VM_SLOT_AUTO)) {
		return false;
	}
	return (offers & needs & VM_SLOT_TYPES) != 0;
}

static int check(const struct vm_pci_set *set, struct vm_pci_addr a, unsigned flags, bool chosen,
		 struct vm_err *err)
{
	char text[VM_PCI_TEXT];
	const struct vm_pci_bus *bus;

	vm_pci_text(a, text);
	if (set->n == 0)
		return vm_err_set(err, VM_BAD_INPUT, "this machine has no PCI bus");
	if (a.domain != 0)
		return vm_err_set(err, VM_BAD_INPUT,
				  "PCI address %s: a guest has PCI domain 0 only", text);
	if (a.bus >= set->n)
		return vm_err_set(err, VM_BAD_INPUT,
				  "PCI address %s: the highest PCI bus of this guest is %zu", text,
				  set->n - 1);
	bus = &set->buses[a.bus];
	if (!fits(bus->flags, flags, chosen))
		return vm_err_set(err, VM_BAD_INPUT,
				  "PCI address %s: the %s with index %u does not take %s", text,
				  vm_controller_model_words[bus->model], a.bus, wanted(flags));
	if (a.slot < bus->min_slot || a.slot > bus->max_slot)
		return vm_err_set(err, VM_BAD_INPUT,
				  "PCI address %s: the %s with index %u has slots %u to %u", text,
				  vm_controller_model_words[bus->model], a.bus, bus->min_slot,
				  bus->max_slot);
	if (a.function > 7)
		return vm_err_set(err, VM_BAD_INPUT, "PCI address %s: functions are 0 to 7", text);
	return 0;
}

/* Appends what gives a slot to such a device; a->bus becomes the bus it will be on. */
static int grow(struct vm_pci_set *set, struct vm_pci_addr *a, unsigned flags, struct vm_err *err)
{
	int model;
	bool need_pci = false;
	size_t add, i = set->n;

	if (a->bus < set->n)
		return 0;
	if (flags & VM_SLOT_INTEGRATED)
		return vm_err_set(err, VM_BAD_INPUT, "%s has bus 0", wanted(flags));
	add = a->bus - set->n + 1;
	if (flags & VM_SLOT_PCI) {
		/* A guest that is PCI Express alone gets its first conventional bus: a root port
		 * with a bridge in it, which is one bus more than was asked for. */
		model = VM_PCI_BRIDGE;
		need_pci = true;
		for (size_t b = 0; b < set->n; b++)
			if (set->buses[b].flags & VM_SLOT_BRIDGE)
				need_pci = false;
		if (need_pci && add == 1) {
			add++;
			a->bus++;
		}
	} else if (flags & (VM_SLOT_PCIE | VM_SLOT_UPSTREAM)) {
		model = VM_PCIE_ROOT_PORT;
	} else {
		return vm_err_set(err, VM_BAD_INPUT,
				  "no bus has room for %s, and none can be added for it by itself",
				  wanted(flags));
	}
	if (set->n + add > VM_PCI_BUSES_MAX)
		return vm_err_set(err, VM_BAD_INPUT, "more than %u PCI buses", VM_PCI_BUSES_MAX);
	set->buses = vm_xreallocarray(set->buses, set->n + add, sizeof(*set->buses));
	memset(set->buses + set->n, 0, add * sizeof(*set->buses));
	set->n += add;
	if (need_pci) {
		vm_pci_bus_model(&set->buses[i], VM_PCIE_ROOT_PORT);
		/* Held for the bridge, or the port kept free for hotplug would be this one. */
		set->buses[i++].flags = VM_SLOT_PCIE_TO_PCI;
		vm_pci_bus_model(&set->buses[i++], VM_PCIE_PCI_BRIDGE);
	}
	for (; i < set->n; i++)
		vm_pci_bus_model(&set->buses[i], model);
	return 0;
}

static int reserve(struct vm_pci_set *set, struct vm_pci_addr a, unsigned flags, bool chosen,
		   struct vm_err *err)
{
	struct vm_pci_bus *bus;
	char text[VM_PCI_TEXT];

	/* The caller's address stays as it is: growing for a chosen address never moves it. */
	if (set->dry && a.bus < VM_PCI_BUSES_MAX) {
		struct vm_pci_addr moved = a;

		if (grow(set, &moved, flags, err) < 0)
			return -1;
		a = moved;
	}
	if (check(set, a, flags, chosen, err) < 0)
		return -1;
	bus = &set->buses[a.bus];
	if (bus->functions[a.slot] & 1u << a.function)
		return vm_err_set(err, VM_BAD_INPUT, "PCI address %s is taken by another device",
				  vm_pci_text(a, text));
	if (bus->functions[a.slot] == 0 && (flags & VM_SLOT_AGGREGATE))
		bus->aggregate |= UINT32_C(1) << a.slot;
	bus->functions[a.slot] |= (uint8_t)(1u << a.function);
	return 0;
}

int vm_pci_check(struct vm_pci_set *set, struct vm_pci_addr a, unsigned flags, struct vm_err *err)
{
	return check(set, a, flags, true, err);
}

int vm_pci_reserve(struct vm_pci_set *set, struct vm_pci_addr a, unsigned flags, struct vm_err *err)
{
	return reserve(set, a, flags, true, err);
}

static bool find_on_bus(const struct vm_pci_bus *bus, unsigned flags, int function,
			struct vm_pci_addr *a)
{
	if (!fits(bus->flags, flags, false))
		return false;
	for (a->slot = bus->min_slot; a->slot <= bus->max_slot; a->slot++) {
		uint8_t used = bus->functions[a->slot];

		a->function = function < 0 ? 0 : (unsigned)function;
		if (used == 0)
			return true;
		if (!(flags & VM_SLOT_AGGREGATE) || !(bus->aggregate >> a->slot & 1))
			continue;
		if (!(used & 1u << a->function))
			return true;
		for (; function < 0 && a->function < 8; a->function++)
			if (!(used & 1u << a->function))
				return true;
	}
	return false;
}

int vm_pci_next(struct vm_pci_set *set, unsigned flags, int function, struct vm_pci_addr *ret,
		struct vm_err *err)
{
	struct vm_pci_addr a = {0};

	if (set->n == 0)
		return vm_err_set(err, VM_BAD_INPUT, "this machine has no PCI bus");
	for (a.bus = 0; a.bus < set->n; a.bus++)
		if (find_on_bus(&set->buses[a.bus], flags, function, &a))
			break;
	if (a.bus == set->n) {
		if (!set->dry)
			return vm_err_set(err, VM_BAD_INPUT, "no free PCI slot for %s",
					  wanted(flags));
		a.function = function < 0 ? 0 : (unsigned)function;
		if (grow(set, &a, flags, err) < 0)
			return -1;
		a.slot = set->buses[a.bus].min_slot;
	}
	if (reserve(set, a, flags, false, err) < 0)
		return -1;
	*ret = a;
	return 0;
}
