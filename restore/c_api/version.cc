// The one source here that is told something by the build.
#include "restore/c_api/include/modelvault/modelvault.h"

extern "C" const char* mv_library_version(void) { return MODELVAULT_VERSION; }
