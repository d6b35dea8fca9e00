"""A pipeline.config such as people have them, for a network so small that a test can train it."""

PIPELINE_CONFIG = """\
model {
  ssd {
    num_classes: 1
    image_resizer { fixed_shape_resizer { height: 96 width: 96 } }
    feature_extractor {
      type: 'ssd_mobilenet_v1'
      depth_multiplier: 0.25
      min_depth: 16
      conv_hyperparams {
        activation: RELU_6,
        regularizer { l2_regularizer { weight: 0.00004 } }
        initializer { truncated_normal_initializer { stddev: 0.03 mean: 0.0 } }
        batch_norm { train: true, scale: true, center: true, decay: 0.97, epsilon: 0.001 }
      }
    }
    box_coder { faster_rcnn_box_coder { y_scale: 10.0 x_scale: 10.0 height_scale: 5.0 width_scale: 5.0 } }
    matcher { argmax_matcher { matched_threshold: 0.5 unmatched_threshold: 0.5 force_match_for_each_row: true } }
    similarity_calculator { iou_similarity { } }
    anchor_generator {
      ssd_anchor_generator { num_layers: 4 min_scale: 0.2 max_scale: 0.8 aspect_ratios: [1.0, 2.0, 0.5] }
    }
    box_predictor {
      convolutional_box_predictor {
        use_dropout: false
        kernel_size: 1
        conv_hyperparams {
          activation: RELU_6,
          initializer { truncated_normal_initializer { stddev: 0.03 mean: 0.0 } }
          batch_norm { scale: true }
        }
      }
    }
    loss {
      classification_loss { weighted_sigmoid { } }
      localization_loss { weighted_smooth_l1 { } }
      hard_example_miner {
        num_hard_examples: 3000 iou_threshold: 0.99 loss_type: CLASSIFICATION max_negatives_per_positive: 3
      }
    }
    post_processing {
      batch_non_max_suppression { score_threshold: 1e-8 iou_threshold: 0.6 }
      score_converter: SIGMOID
    }
  }
}
train_config {
  batch_size: 2
  optimizer {
    rms_prop_optimizer {
      learning_rate {
        exponential_decay_learning_rate { initial_learning_rate: 0.004 decay_steps: 800720 decay_factor: 0.95 }
      }
    }
  }
  num_steps: 4
  data_augmentation_options { random_horizontal_flip { } }
}
train_input_reader {
  tf_record_input_reader { input_path: "records/raccoon_training.record" }
  label_map_path: "records/label_map.pbtxt"
}
eval_config { num_examples: 40 }
eval_input_reader {
  tf_record_input_reader { input_path: "records/raccoon_verification.record" }
  label_map_path: "records/label_map.pbtxt"
  shuffle: false
}
"""
