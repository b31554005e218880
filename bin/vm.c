/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm: the front end of all the tools. */
#include <vm/commands.h>

int main(int argc, char **argv)
{
	return vm_front_main(argc, argv);
}
