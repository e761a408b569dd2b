/* A plugin for qemu's user mode emulation: it counts the instructions of an emulated program while the program runs.
 *
 *   qemu-aarch64 -plugin instruction_counter.so,counts=FILE PROGRAM
 *
 * FILE holds SLOTS 64-bit numbers in this machine's byte order, one for each thread. Other programs may read FILE at any time. Each
 * thread has a separate count, so that no instruction is lost when two threads count at the same time.
 *
 * The declarations are the functions of version 1 of qemu's plugin interface that this file uses:
 * https://www.qemu.org/docs/master/devel/tcg-plugins.html
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct qemu_plugin_tb;
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t plugin, void (*translated)(uint64_t plugin, struct qemu_plugin_tb *block));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *block, void (*executed)(unsigned thread, void *data), int registers,
                                          void *data);

enum { SLOTS = 1024, NO_REGISTERS = 0 };

int qemu_plugin_version = 1;
static uint64_t *counts;

static void executed(unsigned thread, void *instructions) {
    counts[thread % SLOTS] += (uintptr_t)instructions;
}

/* A block ends at its only jump, so all its instructions are executed, unless one of them fails. */
static void translated(uint64_t plugin, struct qemu_plugin_tb *block) {
    (void)plugin;
    qemu_plugin_register_vcpu_tb_exec_cb(block, executed, NO_REGISTERS, (void *)qemu_plugin_tb_n_insns(block));
}

int qemu_plugin_install(uint64_t plugin, const void *about, int number, char **arguments) {
    static const char option[] = "counts=";
    (void)about;
    if (number != 1 || strncmp(arguments[0], option, sizeof option - 1) != 0)
        return 1;
    int file = open(arguments[0] + sizeof option - 1, O_RDWR | O_CREAT, 0600);
    if (file < 0 || ftruncate(file, SLOTS * sizeof *counts) != 0)
        return 1;
    counts = mmap(NULL, SLOTS * sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (counts == MAP_FAILED)
        return 1;
    qemu_plugin_register_vcpu_tb_trans_cb(plugin, translated);
    return 0;
}
