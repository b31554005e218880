/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of virsh's commands against a list of them, and what becomes of their arguments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/cleanup.h>
#include <vm/commands.h>
#include <vm/strbuf.h>

#define MAX_WORDS 80

/* The names of a table's options as the list writes them: "domain=", "reason". */
static void option_names(const char *options, struct vm_strbuf *b)
{
	while (options && *options) {
		size_t len = strcspn(options, "|"), name = strcspn(options, ":=>!@|");
		bool value = options[name] && strchr(":=", options[name]);

		vm_strbuf_printf(b, " %.*s%s", (int)name, options, value ? "=" : "");
		options += len + (options[len] == '|');
	}
}

static void every_command(void **state)
{
	FILE *fp = fopen(VM_TEST_DATA "/virsh-commands", "r");
	char line[4096];
	size_t i = 0;

	(void)state;
	assert_non_null(fp);
	while (fgets(line, sizeof(line), fp)) {
		VM_AUTO(vm_strbuf_free) struct vm_strbuf got = VM_STRBUF_INIT;
		const struct vm_command *c = &vm_commands[i];
		char *options;

		line[strcspn(line, "\n")] = '\0';
		if (*line == '#')
			continue;
		assert_non_null(c->virsh);
		/* refuses a wrong order, a missing one and one too many alike */
		vm_strbuf_printf(&got, "%s %s", c->virsh, c->tool);
		options = strchr(strchr(line, ' ') + 1, ' ');
		if (c->options)
			option_names(c->options, &got);
		else if (options)
			*options = '\0';
		assert_string_equal(got.text, line);
		assert_non_null(vm_tool_find(c->tool));
		assert_ptr_equal(vm_command_find(c->virsh), c);
		i++;
	}
	fclose(fp);
	assert_null(vm_commands[i].virsh);
	assert_int_equal(i, 267);
	for (i = 1; vm_tools[i].name; i++)
		assert_true(strcmp(vm_tools[i - 1].name, vm_tools[i].name) < 0);
	assert_null(vm_tool_find("vm-"));
	assert_null(vm_command_find("cd"));
}

static void translations(void **state)
{
	static const struct {
		const char *virsh, *want; /* "!" + message (+ "; " hint) = refused */
		enum vm_kind kind;
	} rows[] = {
		{ "start web1", "vm-start -- web1", VM_OK },
		{ "start --paused web1 --console", "vm-start --paused --console -- web1", VM_OK },
		{ "start --domain web1 --pass-fds 3,4", "vm-start --pass-fds=3,4 -- web1", VM_OK },
		{ "start --domain=web1 --pass-fds=3", "vm-start --pass-fds=3 -- web1", VM_OK },
		{ "start -- --web1", "vm-start -- --web1", VM_OK },
		{ "start web1 3", "vm-start --pass-fds=3 -- web1", VM_OK },
		{ "start web1 3 4", "!virsh's start does not take '4'", VM_USAGE },
		{ "start --domain web1 --domain web2", "!--domain is given twice", VM_USAGE },
		{ "start --bogus web1", "!virsh's start has no option --bogus", VM_USAGE },
		{ "start --paused=1 web1", "!--paused takes no value", VM_USAGE },
		{ "start web1 --pass-fds", "!--pass-fds needs a value", VM_USAGE },
		{ "start", "vm-start", VM_OK }, /* the tool says what is missing */
		{ "start web1 --json --timeout 3", "vm-start --json --timeout=3 -- web1", VM_OK },
		{ "start web1 --timeout", "!--timeout needs a value", VM_USAGE },
		{ "list --all --name", "vm-list --all --name", VM_OK },
		{ "list web1", "!virsh's list does not take 'web1'", VM_USAGE },
		{ "domstate web1 --reason", "vm-info --get=state --reason -- web1", VM_OK },
		{ "domid web1", "vm-info --get=id -- web1", VM_OK },
		{ "domblklist web1 --details --inactive", "vm-info --config -- web1 disks", VM_OK },
		{ "vcpucount web1 --maximum --config", "vm-info --get=vcpus_max --config -- web1", VM_OK },
		{ "vcpucount web1", "vm-info --get=vcpus,vcpus_max -- web1", VM_OK },
		{ "event web1 --event reboot", "vm-events --once --event=reboot -- web1", VM_OK },
		{ "event --loop --all --domain web1", "vm-events --follow -- web1", VM_OK },
		{ "event --list", "vm-events --list", VM_OK },
		{ "qemu-monitor-command web1 --hmp info block", "vm-qmp --hmp -- web1 info block", VM_OK },
		{ "qemu-monitor-command web1 a --pretty --cmd b c", "vm-qmp --pretty -- web1 a b c", VM_OK },
		{ "domblkinfo web1 vda",
		  "!virsh's domblkinfo --device has no counterpart; vm-info GUEST disks prints every disk: take the "
		  "line whose first field it is", VM_UNSUPPORTED },
		{ "dumpxml web1 --xpath //a", "!virsh's dumpxml --xpath has no counterpart; pipe the document into "
					      "xmllint --xpath", VM_UNSUPPORTED },
		{ "domxml-to-native qemu-argv --xml f.xml", "vm-export --format=qemu-argv --file=f.xml", VM_OK },
		{ "domxml-to-native qemu-argv web1", "vm-export --format=qemu-argv -- web1", VM_OK },
		{ "domstats --block web1 web2 --raw", "vm-stats --virsh --block -- web1 web2", VM_OK },
		{ "dommemstat web1 --live", "vm-stats --balloon -- web1", VM_OK },
		{ "dumpxml web1 //a", "!virsh's dumpxml does not take '//a'", VM_USAGE },
		{ "create f.xml --paused", "vm-create --paused -- f.xml", VM_OK },
		{ "shutdown web1 acpi", "vm-shutdown --mode=acpi -- web1", VM_OK },
		{ "memtune web1", "vm-cgroup -- web1", VM_OK },
		{ "memtune --hard-limit 1G web1 --live --swap-hard-limit=-1",
		  "vm-cgroup --live -- web1 hard_limit=1G swap_hard_limit=-1", VM_OK },
		{ "memtune web1 1024 512", "vm-cgroup -- web1 hard_limit=1024 soft_limit=512", VM_OK },
		{ "schedinfo web1 --set cpu_shares=5 vcpu_quota=9000 --config",
		  "vm-cgroup --config -- web1 cpu_shares=5 vcpu_quota=9000", VM_OK },
		{ "blkiotune web1 --device-weights /dev/sda,100,/dev/sdb,200",
		  "vm-cgroup -- web1 device_weight=/dev/sda,100,/dev/sdb,200", VM_OK },
		{ "numatune web1 --nodeset 0-1 --mode 0", "vm-cgroup -- web1 numa_nodeset=0-1 numa_mode=0", VM_OK },
		{ "vcpupin web1 0 0-3 --live", "vm-pin --vcpu=0 --cpulist=0-3 --live -- web1", VM_OK },
		{ "emulatorpin web1 0", "vm-pin --emulator --cpulist=0 -- web1", VM_OK },
		{ "iothreadpin web1 --iothread 1 --cpulist 2", "vm-pin --iothread=1 --cpulist=2 -- web1", VM_OK },
		{ "attach-device web1 d.xml --live", "vm-attach-hostdev --live -- web1 d.xml", VM_OK },
		{ "detach-device --domain web1 --file d.xml --persistent", "vm-detach-hostdev --persistent -- web1 d.xml", VM_OK },
		{ "detach-device-alias web1 hostdev0", "vm-detach-hostdev -- web1 hostdev0", VM_OK },
		{ "nodedev-detach pci_0000_01_00_0 --driver vfio", "vm-hostdev-bind --driver=vfio -- pci_0000_01_00_0", VM_OK },
		{ "nodedev-list --cap pci,usb_device", "vm-hostdev-list --kind=pci,usb_device", VM_OK },
		/* without a table of its own: as it is */
		{ "net-start default --x=y", "vm-net-start default --x=y", VM_OK },
	};
	size_t i, k;

	(void)state;
	for (i = 0; i < VM_COUNT(rows); i++) {
		VM_AUTO(vm_strbuf_free) struct vm_strbuf got = VM_STRBUF_INIT;
		VM_AUTO(vm_words_free) struct vm_words words = { 0 };
		struct vm_err err = VM_ERR_INIT;
		char line[256], *argv[MAX_WORDS], *rest = line;
		size_t n = 0;

		strcpy(line, rows[i].virsh);
		while ((argv[n] = strsep(&rest, " ")))
			n++;
		if (vm_command_translate(vm_command_find(argv[0]), argv + 1, &words, &err) < 0) {
			vm_strbuf_printf(&got, "!%s%s%s", err.msg, *err.hint ? "; " : "", err.hint);
			assert_null(words.v);
		}
		for (k = 0; k < words.n; k++)
			vm_strbuf_printf(&got, "%s%s", k ? " " : "", words.v[k]);
		assert_string_equal(got.text, rows[i].want);
		assert_int_equal(err.kind, rows[i].kind);
	}
}

static const char *three(size_t index)
{
	static const char *const names[] = { "start", "shutdown", "net-start" };

	return index < 3 ? names[index] : NULL;
}

static void nearest(void **state)
{
	(void)state;
	assert_string_equal(vm_nearest("strat", three), "start");
	assert_string_equal(vm_nearest("shutdwon", three), "shutdown");
	assert_string_equal(vm_nearest("netstart", three), "net-start");
	assert_null(vm_nearest("x", three));
	assert_null(vm_nearest("frobnicate", three));
	assert_null(vm_nearest("a-very-very-very-very-very-very-very-long-name", three));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_command), cmocka_unit_test(translations),
					    cmocka_unit_test(nearest) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
