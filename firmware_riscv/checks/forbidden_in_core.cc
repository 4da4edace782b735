// Never linked into anything: breaks every rule of the core once, so that check_core_symbols_test.sh sees each one
// reported.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int Opaque();

int forbidden_global = Opaque();  // A global constructor, and .sbss.
volatile int forbidden_data = 7;  // .sdata.

void* ForbiddenHeap() { return malloc(16); }
void ForbiddenLibrary() { printf("%d\n", forbidden_data); }
float ForbiddenFloat(float x) { return x * 1.5f; }
