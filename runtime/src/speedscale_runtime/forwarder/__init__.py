"""The forwarder: takes captured pairs in, drops and redacts by rule, keeps them on disk, and exports them."""
