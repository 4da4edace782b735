#include "firmware_riscv/app/firmware.h"

#include "firmware_riscv/app/board.h"
#include "firmware_riscv/app/print.h"
#include "firmware_riscv/update/in_place_update.h"
#include "vault/format.h"

namespace modelvault {
namespace {

const char* SourceName(BootSource source) {
  switch (source) {
    case BootSource::kNothing:
      return "nothing";
    case BootSource::kSelected:
      return "selected";
    case BootSource::kTrial:
      return "trial";
    case BootSource::kLastGood:
      return "last-good";
    case BootSource::kBase:
      return "base";
  }
  return "nothing";
}

const char* SlotSourceName(SlotSource source) {
  switch (source) {
    case SlotSource::kNothing:
      return "nothing";
    case SlotSource::kActive:
      return "active";
    case SlotSource::kTrial:
      return "trial";
    case SlotSource::kOther:
      return "other";
  }
  return "nothing";
}

const char* PassName(Pass pass) {
  switch (pass) {
    case Pass::kVerify:
      return "  verify pass: ";
    case Pass::kLoad:
      return "  load pass: ";
    case Pass::kProof:
      return "  proof: ";
    default:
      return "  use pass: ";
  }
}

// Errors that say nothing against the model: it runs without an engine.
bool IsOfEngine(mv_error error, const mv_fault& fault) {
  return error == MV_BAD_NETWORK || error == MV_WORKSPACE_TOO_SMALL || fault.place == MV_PLACE_NETWORK;
}

mv_error VerifySlot(void* firmware, unsigned slot, uint64_t* version) {
  return static_cast<Firmware*>(firmware)->OpenSlot(slot, version);
}

}  // namespace

void PrintFault(const mv_fault& fault) {
  Print(mv_place_name(fault.place));
  if (fault.place == MV_PLACE_BASE) {
    Print(" ");
    PrintNumber(fault.number);
  } else if (fault.place == MV_PLACE_DELTA) {
    Print(" segment ");
    PrintNumber(fault.number);
  }
}

void PrintName(ByteView name) {
  if (name.size == 0) {
    Print("base");
  } else {
    Print(reinterpret_cast<const char*>(name.data), name.size);
  }
}

Firmware::Firmware(ByteSpan memory, const mv_flash* flash, DeviceTrust* trust, size_t tile_size)
    : partition_(VaultSlot(0)),
      two_slots_(memcmp(VaultSlot(1).data, kVaultMagic, sizeof(kVaultMagic)) == 0),
      memory_(memory),
      tile_size_(tile_size != 0 ? tile_size : MV_DEFAULT_TILE_SIZE),
      engine_tile_size_(tile_size != 0 ? tile_size : MV_ENGINE_TILE_SIZE),
      trust_(trust),
      proof_(partition_, memory, trust->trust()),
      selection_(flash) {}

void Firmware::UseSlot(unsigned slot) {
  slot_ = slot;
  partition_ = VaultSlot(slot);
  proof_.SetVault(partition_);
}

void Firmware::PrintOpenFailure(const mv_fault& fault) {
  if (two_slots_) {
    Print("slot ");
    PrintNumber(slot_);
    Print(": ");
  }
  Print("vault: ");
  Print(mv_error_name(last_error_));
  Print(" in ");
  PrintFault(fault);
  Print("\n");
}

// The vault, or why not; `*base_only`: its base is there to be opened.
mv_error Firmware::OpenVault(mv_fault* fault, bool* base_only) {
  mv_error error = proof_.ProveVault(fault);
  *base_only = proof_.base_only();
  if (error != MV_OK) return error;
  BeginPhase(Phase::kOpen);
  error = mv_open(partition_.data, partition_.size, memory_.data, memory_.size, &kWatchdog, &loader_, fault);
  BeginPhase(Phase::kOther);
  *base_only = error != MV_OK && fault->place == MV_PLACE_INDEX;
  return error;
}

mv_error Firmware::OpenSlot(unsigned slot, uint64_t* version) {
  UseSlot(slot);
  loader_ = nullptr;
  mv_fault fault;
  last_error_ = OpenVault(&fault, &base_only_);
  if (last_error_ != MV_OK) PrintOpenFailure(fault);
  // Where versions are not asked for none is too old.
  *version = proof_.is_asked() ? proof_.proof().version : UINT64_MAX;
  return last_error_;
}

// One of the slots' vaults, open; false: none, or the base of one.
bool Firmware::Choose() {
  const SlotHost host = {VerifySlot, this};
  const SlotChoice choice = ChooseSlot(trust_->state(), host);
  Print("slot source=");
  Print(SlotSourceName(choice.source));
  if (choice.source != SlotSource::kNothing) {
    Print(" slot=");
    PrintNumber(choice.slot);
    Print(" version=");
    PrintNumber(proof_.is_asked() ? choice.version : 0);
  }
  Print("\n");
  if (choice.source != SlotSource::kNothing) return true;
  last_error_ = choice.error;
  return false;
}

mv_error Firmware::Open() {
  mv_fault fault = {MV_PLACE_UNKNOWN, 0};
  uint64_t version;
  if (IsInPlace(*trust_->state())) {
    last_error_ = MV_NOT_FINISHED;
    Print("vault: an update is not finished\n");
    return last_error_;
  }
  if (!two_slots_) {
    static_cast<void>(OpenSlot(0, &version));
  } else if (!Choose()) {
    // The active one's base may be whole. What opens after all is refused for another reason.
    const mv_error refused = last_error_;
    if (OpenSlot(trust_->state()->record().active, &version) == MV_OK) {
      loader_ = nullptr;
      last_error_ = refused;
    }
  }
  if (base_only_) {
    const mv_error error =
        mv_open_base(partition_.data, partition_.size, memory_.data, memory_.size, &kWatchdog, &loader_, &fault);
    if (error == MV_OK) {
      Print("vault: its base alone\n");
      return MV_OK;
    }
    last_error_ = error;
    PrintOpenFailure(fault);
  }
  if (last_error_ != MV_OK) return last_error_;
  if (proof_.is_asked()) {
    Print("vault: signed, version ");
    PrintNumber(proof_.proof().version);
    Print("\n");
  }
  Print("vault: a base and ");
  PrintNumber(mv_count(loader_));
  Print(" variants\n");
  return MV_OK;
}

void Firmware::PrintFailure(const PassResult& failed, const mv_variant& variant, mv_fault fault) {
  last_error_ = failed.error;
  Print(PassName(failed.pass));
  Print(mv_error_name(failed.error));
  const bool diagnose = fault.place == MV_PLACE_UNKNOWN && failed.pass != Pass::kProof;
  if (failed.error != MV_WORKSPACE_TOO_SMALL && failed.error != MV_BAD_ARGUMENT) {
    Print(" in ");
    PrintFault(diagnose ? mv_diagnose(loader_, &variant) : fault);
  }
  Print("\n");
}

// Whether the variant is by whom the board trusts: then *usable is what is restored; if not, *result says why.
bool Firmware::Prove(const mv_variant& variant, mv_variant* usable, PassResult* result) {
  CloseEngine();
  mv_fault fault;
  *result = {Pass::kProof, proof_.ProveVariant(loader_, variant, usable, &fault), MV_REJECTED, 0, 0};
  if (result->error == MV_OK) return true;
  PrintFailure(*result, variant, fault);
  return false;
}

PassResult Firmware::Verify(const mv_variant& variant) {
  PassResult result;
  mv_variant usable;
  if (!Prove(variant, &usable, &result)) return result;
  result = RunPass(loader_, usable, tile_size_, Pass::kVerify, nullptr);
  if (result.verdict != MV_VERIFIED) PrintFailure(result, usable);
  return result;
}

void Firmware::CloseEngine() {
  if (engine_ == nullptr) return;
  mv_engine_close(engine_);
  engine_ = nullptr;
  ReloadCode();
}

mv_error Firmware::Load(const mv_variant& variant) {
  CloseEngine();
  BeginPhase(Phase::kLoad);
  const mv_error error =
      mv_engine_open(loader_, &variant, engine_tile_size_, ReclaimableRam(), &engine_, &engine_fault_);
  BeginPhase(Phase::kOther);
  ++loads_;
  return error;
}

mv_engine* Firmware::Engine(mv_error* error) {
  *error = runs_ ? MV_OK : MV_NOT_FINISHED;
  if (!runs_ || engine_ != nullptr) return engine_;
  PassResult proof;
  mv_variant usable;
  *error = Prove(running_, &usable, &proof) ? Load(usable) : proof.error;
  return engine_;
}

uint32_t Firmware::Run(ByteView name, mv_error* error) {
  runs_ = false;
  if (name.size == 0) {
    mv_base(loader_, &running_);
  } else {
    *error = mv_find(loader_, reinterpret_cast<const char*>(name.data), name.size, &running_);
    if (*error != MV_OK) {
      last_error_ = *error;
      return MV_REJECTED;
    }
  }
  mv_variant usable;
  if (!Prove(running_, &usable, &last_pass_)) {
    *error = last_pass_.error;
    return MV_REJECTED;
  }
  *error = Load(usable);
  if (IsOfEngine(*error, engine_fault_)) {
    // Where an application would compute with the weights.
    last_pass_ = VerifyThenUse(loader_, usable, tile_size_, kTouch);
    engine_fault_ = {MV_PLACE_UNKNOWN, 0};
  } else {
    last_pass_ = {Pass::kLoad, *error, *error == MV_OK ? MV_VERIFIED : MV_REJECTED, mv_model_size(loader_),
                  mv_digest(loader_)};
  }
  if (last_pass_.verdict != MV_VERIFIED) PrintFailure(last_pass_, usable, engine_fault_);
  runs_ = last_pass_.verdict == MV_VERIFIED;
  *error = last_pass_.error;
  return last_pass_.verdict;
}

void Firmware::Tell(const BootReport& report) {
  switch (report.event) {
    case BootEvent::kSectorDamaged:
      Print("selection: sector ");
      PrintNumber(report.number);
      Print(" holds no record: ignored\n");
      return;
    case BootEvent::kTrial:
      Print("boot: ");
      PrintName(report.name);
      Print(" is on test, attempt ");
      PrintNumber(report.number);
      Print(" of ");
      PrintNumber(kMaxAttempts);
      break;
    case BootEvent::kGivenUp:
      Print("boot: ");
      PrintName(report.name);
      Print(" is given up after ");
      PrintNumber(report.number);
      Print(" attempts");
      break;
    case BootEvent::kStart:
      Print("boot: restoring ");
      PrintName(report.name);
      break;
    case BootEvent::kFailed:
      Print("boot: ");
      PrintName(report.name);
      Print(" is not used: ");
      Print(mv_error_name(report.error));
      break;
    case BootEvent::kConfirmed:
      Print("boot: ");
      PrintName(report.name);
      Print(" is good and confirmed");
      break;
    case BootEvent::kRejected:
      Print("boot: ");
      PrintName(report.name);
      Print(" is rejected");
      break;
    case BootEvent::kNotMarked:
      Print("selection: cannot be written: ");
      Print(mv_error_name(report.error));
      last_error_ = report.error;
      break;
  }
  Print("\n");
}

// Once a vault has given a model that runs, what is older than it does not come back.
void Firmware::Remember() {
  const mv_error error = trust_->Remember(slot_, proof_.proof());
  if (error == MV_OK) return;
  Print("state: cannot be written: ");
  Print(mv_error_name(error));
  Print("\n");
}

mv_error Firmware::Boot() {
  const BootHost host = {
      [](void* self, ByteView name, mv_error* error) { return static_cast<Firmware*>(self)->Run(name, error); },
      [](void* self, const BootReport& report) { static_cast<Firmware*>(self)->Tell(report); }, this};
  BootResult result = {BootSource::kNothing, {}, last_error_};
  if (loader_ != nullptr) result = base_only_ ? BootBase(host) : modelvault::Boot(&selection_, host);
  if (result.source != BootSource::kNothing) Remember();
  Print("boot status=");
  Print(mv_error_name(result.error));
  Print(" source=");
  Print(SourceName(result.source));
  Print(" bytes=");
  PrintNumber(last_pass_.bytes);
  Print(" xxh64=");
  PrintHex(last_pass_.digest);
  Print(" name=");
  if (result.source == BootSource::kNothing) {
    Print("-");
  } else {
    PrintName(result.name);
  }
  Print("\n");
  return result.error;
}

}  // namespace modelvault
