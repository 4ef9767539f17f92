//! Policies as the engine uses them: parsed once from the custom resources, then asked for mode, limits and exceptions per object and control.
