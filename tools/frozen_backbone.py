"""Write the frozen backbone by which `triof dataset check` judges labels, out of ImageNet's weights.

    python -m tools.frozen_backbone

The same packages give the same bytes. Afterwards what was cached of photos is looked at anew (its version has changed).
"""

from providers.local_cnn import backbone
from providers.local_cnn.features import MODEL_FILE
from providers.local_cnn.training import trainer


def main() -> None:
    """Convert and save."""
    whole = trainer.build_model(labels=2)
    MODEL_FILE.write_bytes(trainer.convert(trainer.features_of(whole), backbone.LITE0.side, half_precision=True))
    print(f"{MODEL_FILE}: {MODEL_FILE.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
