// The formats of files that the library can put together again.
#ifndef MODELVAULT_RESTORE_C_API_STORED_FORMATS_H_
#define MODELVAULT_RESTORE_C_API_STORED_FORMATS_H_

#include "restore/model_file.h"

namespace modelvault {

// Those whose stored frames only their own parser understands: restoring needs it. The library has no others, so that
// what packs files may grow without it.
const ModelFormats& StoredFormats();

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_C_API_STORED_FORMATS_H_
