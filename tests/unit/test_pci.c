/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The set of PCI slots by itself: what fits where, how it grows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <qemu/plan/pci.h>
#include <vm/cleanup.h>

#define CONVENTIONAL (VM_SLOT_PCI | VM_SLOT_AUTO)
#define EXPRESS	     (VM_SLOT_PCIE | VM_SLOT_AUTO)

static struct vm_err err;

static void place(struct vm_pci_set *set, unsigned flags, const char *want)
{
	struct vm_pci_addr a;
	char text[VM_PCI_TEXT];

	err = VM_ERR_INIT;
	if (vm_pci_next(set, flags, -1, &a, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(vm_pci_text(a, text), want);
}

static void refused(struct vm_pci_set *set, struct vm_pci_addr a, unsigned flags, const char *want)
{
	err = VM_ERR_INIT;
	assert_int_equal(vm_pci_reserve(set, a, flags, &err), -1);
	assert_int_equal(err.kind, VM_BAD_INPUT);
	assert_non_null(strstr(err.msg, want));
}

static void a_conventional_bus_fills_and_grows(void **state)
{
	VM_AUTO(vm_pci_set_close) struct vm_pci_set set = VM_PCI_SET_INIT;

	(void)state;
	vm_pci_set_open(&set, 1, true);
	vm_pci_bus_model(&set.buses[0], VM_PCI_ROOT);
	for (unsigned i = 1; i <= 31; i++) {
		struct vm_pci_addr a;

		assert_int_equal(vm_pci_next(&set, CONVENTIONAL, -1, &a, &err), 0);
		assert_int_equal(a.slot, i);
	}
	assert_true(vm_pci_set_full(&set));
	place(&set, CONVENTIONAL, "0000:01:01.0");
	assert_int_equal(set.n, 2);
	assert_int_equal(set.buses[1].model, VM_PCI_BRIDGE);
	assert_false(vm_pci_set_full(&set));
}

static void an_express_guest_gets_ports_and_one_bridge(void **state)
{
	VM_AUTO(vm_pci_set_close) struct vm_pci_set set = VM_PCI_SET_INIT;

	(void)state;
	vm_pci_set_open(&set, 1, true);
	vm_pci_bus_model(&set.buses[0], VM_PCIE_ROOT);
	place(&set, EXPRESS, "0000:01:00.0");
	/* A port, and a bridge in it: bus 2 is held for the bridge. */
	place(&set, CONVENTIONAL, "0000:03:01.0");
	place(&set, CONVENTIONAL, "0000:03:02.0");
	place(&set, EXPRESS, "0000:04:00.0");
	assert_int_equal(set.buses[2].model, VM_PCIE_ROOT_PORT);
	assert_int_equal(set.buses[3].model, VM_PCIE_PCI_BRIDGE);
	/* Ports share slots as functions, eight each; others do not join them. */
	for (unsigned i = 0; i < 8; i++) {
		struct vm_pci_addr a;

		assert_int_equal(
		    vm_pci_next(&set, vm_pci_model_flags(VM_PCIE_ROOT_PORT), -1, &a, &err), 0);
		assert_int_equal(a.slot, 1);
		assert_int_equal(a.function, i);
	}
	place(&set, vm_pci_model_flags(VM_PCIE_ROOT_PORT), "0000:00:02.0");
}

static void chosen_addresses_may_mix(void **state)
{
	VM_AUTO(vm_pci_set_close) struct vm_pci_set set = VM_PCI_SET_INIT;

	(void)state;
	vm_pci_set_open(&set, 2, false);
	vm_pci_bus_model(&set.buses[0], VM_PCIE_ROOT);
	vm_pci_bus_model(&set.buses[1], VM_PCIE_UPSTREAM_PORT);
	err = VM_ERR_INIT;
	assert_int_equal(vm_pci_reserve(&set, (struct vm_pci_addr){.slot = 4}, CONVENTIONAL, &err),
			 0);
	assert_int_equal(
	    vm_pci_reserve(&set, (struct vm_pci_addr){.slot = 4, .function = 1}, EXPRESS, &err), 0);
	refused(&set, (struct vm_pci_addr){.slot = 4}, EXPRESS, "taken");
	refused(&set, (struct vm_pci_addr){.slot = 0}, EXPRESS, "slots 1 to 31");
	refused(&set, (struct vm_pci_addr){.slot = 32}, EXPRESS, "slots 1 to 31");
	refused(&set, (struct vm_pci_addr){.slot = 5, .function = 8}, EXPRESS,
		"functions are 0 to 7");
	refused(&set, (struct vm_pci_addr){.domain = 1, .slot = 5}, EXPRESS, "PCI domain 0");
	refused(&set, (struct vm_pci_addr){.bus = 2}, EXPRESS,
		"highest PCI bus of this guest is 1");
	refused(&set, (struct vm_pci_addr){.bus = 1}, EXPRESS,
		"does not take a PCI Express device");
}

static void what_cannot_be_added(void **state)
{
	VM_AUTO(vm_pci_set_close) struct vm_pci_set set = VM_PCI_SET_INIT;
	struct vm_pci_addr a;

	(void)state;
	vm_pci_set_open(&set, 1, true);
	vm_pci_bus_model(&set.buses[0], VM_PCI_ROOT);
	err = VM_ERR_INIT;
	assert_int_equal(vm_pci_next(&set, VM_SLOT_DOWNSTREAM, -1, &a, &err), -1);
	assert_non_null(strstr(err.msg, "pcie-switch-downstream-port"));
	/* A set that is not dry never grows; one without buses has no slot. */
	set.dry = false;
	memset(set.buses[0].functions, 0xff, sizeof(set.buses[0].functions));
	assert_int_equal(vm_pci_next(&set, CONVENTIONAL, -1, &a, &err), -1);
	assert_int_equal(set.n, 1);
	vm_pci_set_close(&set);
	assert_int_equal(vm_pci_next(&set, CONVENTIONAL, -1, &a, &err), -1);
	assert_non_null(strstr(err.msg, "no PCI bus"));
}

static void the_number_of_buses_is_bounded(void **state)
{
	VM_AUTO(vm_pci_set_close) struct vm_pci_set set = VM_PCI_SET_INIT;
	struct vm_pci_addr a;
	unsigned n = 0;

	(void)state;
	vm_pci_set_open(&set, 1, true);
	vm_pci_bus_model(&set.buses[0], VM_PCIE_ROOT);
	err = VM_ERR_INIT;
	while (n < 1000 && vm_pci_next(&set, EXPRESS, -1, &a, &err) == 0)
		n++;
	assert_int_equal(n, VM_PCI_BUSES_MAX - 1);
	assert_non_null(strstr(err.msg, "more than 256 PCI buses"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_conventional_bus_fills_and_grows),
	    cmocka_unit_test(an_express_guest_gets_ports_and_one_bridge),
	    cmocka_unit_test(chosen_addresses_may_mix),
	    cmocka_unit_test(what_cannot_be_added),
	    cmocka_unit_test(the_number_of_buses_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
