"""Networks that judge clips: a clip in [-1, 1] in, logits and features out.

Each owns its exact preprocessing, and a name that its scores carry. Weights come from files that
the user names; nothing in them is executed, but TorchScript files (I3D, identity networks), which
are programs: load only those you trust.
"""
