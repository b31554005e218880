/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stddef.h>

#include <vm/cli.h>
#include <vm/define.h>
#include <vm/guest.h>

struct options {
	struct vm_common common;
	struct vm_undefine how;
	struct vm_words storage;
	bool tpm, volume_snapshots;
	struct vm_host host;
};
#define OFF(member) offsetof(struct options, member)

static const struct vm_opt options[] = {
    {.name = "managed-save",
     .kind = VM_OPT_FLAG,
     .off = OFF(how.managed_save),
     .help = "remove its managed save too"},
    {.name = "snapshots-metadata",
     .kind = VM_OPT_FLAG,
     .off = OFF(how.snapshots),
     .help = "forget its snapshots (their data stays in the images)"},
    {.name = "checkpoints-metadata",
     .kind = VM_OPT_FLAG,
     .off = OFF(how.checkpoints),
     .help = "forget its checkpoints"},
    {.name = "nvram", .kind = VM_OPT_FLAG, .off = OFF(how.nvram), .help = "remove its NVRAM file"},
    {.name = "keep-nvram",
     .kind = VM_OPT_FLAG,
     .off = OFF(how.keep_nvram),
     .help = "keep its NVRAM file"},
    {.name = "tpm",
     .kind = VM_OPT_FLAG,
     .off = OFF(tpm),
     .help = "remove the state of its TPM (the default)"},
    {.name = "keep-tpm",
     .kind = VM_OPT_FLAG,
     .off = OFF(how.keep_tpm),
     .help = "keep the state of its TPM"},
    {.name = "storage",
     .kind = VM_OPT_LIST,
     .off = OFF(storage),
     .arg = "DISK,...",
     .help = "remove these disks' image files (targets or paths)"},
    {.name = "remove-all-storage",
     .kind = VM_OPT_FLAG,
     .off = OFF(how.all_storage),
     .help = "remove all its image files but media and shared ones"},
    {.name = "wipe-storage",
     .kind = VM_OPT_FLAG,
     .off = OFF(how.wipe),
     .help = "overwrite them with zeros before"},
    {.name = "delete-storage-volume-snapshots",
     .kind = VM_OPT_FLAG,
     .off = OFF(volume_snapshots),
     .help = "\naccepted; an image file has no others' snapshots"},
    {0},
};
static const struct vm_operand_spec operands[] = {
    {.name = "GUEST", .kind = VM_OPERAND_GUEST, .many = true, .complete = "guest"},
    {0},
};
static const struct vm_program program;

static int undefine_one(void *opaque, const char *operand, struct vm_err *err)
{
	struct options *o = opaque;

	return vm_guest_undefine(&o->host.state, operand, &o->how, o->common.deadline, err);
}

static int check(struct options *o, struct vm_err *err)
{
	if (o->how.nvram && o->how.keep_nvram)
		return vm_err_set(err, VM_USAGE, "--nvram and --keep-nvram exclude each other");
	if (o->tpm && o->how.keep_tpm)
		return vm_err_set(err, VM_USAGE, "--tpm and --keep-tpm exclude each other");
	if (o->storage.n && o->how.all_storage)
		return vm_err_set(err, VM_USAGE,
				  "--storage and --remove-all-storage exclude each other");
	if ((o->how.wipe || o->volume_snapshots) && !o->storage.n && !o->how.all_storage)
		return vm_err_set(err, VM_USAGE, "%s needs --storage or --remove-all-storage",
				  o->how.wipe ? "--wipe-storage"
					      : "--delete-storage-volume-snapshots");
	o->how.storage = o->storage.v;
	o->how.n_storage = o->storage.n;
	o->how.dry_run = o->common.dry_run;
	return 0;
}

static int run(void *opaque, struct vm_err *err)
{
	struct options *o = opaque;
	int r;

	o->host = VM_HOST_INIT;
	if (check(o, err) < 0 || vm_host_open(o->common.connect, &o->host, err) < 0)
		return -1;
	r = vm_cli_each(&program, &o->common, "undefined", undefine_one, o);
	vm_host_close(&o->host);
	return r;
}

static const struct vm_program program = {
    .name = "vm-undefine",
    .usage = "[OPTION...] GUEST...",
    .summary = "Remove guests' definitions. A running guest runs on and is gone when it ends.",
    .options = options,
    .operands = operands,
    .size = sizeof(struct options),
    .changes = true,
    .run = run,
    .schema = "vm-undefine/1",
};

int main(int argc, char **argv)
{
	return vm_cli_main(&program, argc, argv);
}
